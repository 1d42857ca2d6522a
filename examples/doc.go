// Package examples holds no code: its folder has definitions, one for each feature, which its tests push and run.
package examples
