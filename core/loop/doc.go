// Package loop decides about steps that run other workflows: the iterations of foreach and while steps, and the children
// of subworkflow steps. Like all deciders it is pure: what a step knows of its children stands in the artifact of its
// attempt, a pass takes the artifact and what was read of the children, and returns the next artifact with what is to be
// launched.
//
// A child is named by the artifact before it exists (P24): whoever loads an artifact that names a child without a head
// launches it, under an id that everybody computes alike. A stop then has to walk what is named and can miss nobody.
package loop
