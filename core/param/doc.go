// Package param is Maestro's parameters: the two forms that a parameter has, their JSON, how layers of them
// merge, how they are evaluated, and what is evaluated besides them (conditions, texts, time limits).
//
// Everything here is a pure function of its arguments: time is an argument, ids and randomness come with
// Env, and what an expression reads outside of its scope comes from Outside, which may answer "not loaded
// yet".
//
// # The two forms
//
// Definition is a literal or an expression with a type; Param is a merged Definition with its result.
// Definitions and Params are ordered maps of them by name, of which nil is an empty one. Definitions are
// immutable once read or merged and are shared freely; a Param belongs to the run or attempt it was made
// for and is evaluated in place.
//
//	defs := param.ReadDefinitions(node, true)      // errors are those of the wire.Node
//	params := param.ReadParams(node, true)
//	b = defs.AppendJSON(b)
//
// # Life of a run's params
//
//	defaults, err := param.StandardDefaults()      // once
//	p, err := param.MergeStart(defaults, workflow.Params, runParams, "MANUAL")
//	p, err := param.MergeRestart(previous, runParams, restartParams, "MANUAL")
//	s := param.Scope{Env: env, Own: p}
//	err = s.EvaluateAll(ctx)
//
// # Life of a step's params
//
//	p, err := param.AssembleStep(param.Assembly{…})
//	s := param.Scope{Env: env, Workflow: run, Step: step, Own: p, Outside: o, Functions: true}
//	err = s.EvaluateAll(ctx)
//	p, err = param.MergeOutputs(p, outputs)
//	edge, err := s.Condition(ctx, "successor", "rows > 10")    // on a Scope with NoSignals
//
// Other things see less: the table at Scope says which fields to set. Scope.Evaluate evaluates a param that is in no
// map (match params and outputs of signals), Scope.Interpolate a text (time limits, names of signals, alerting).
//
// # Children and loops
//
//	SubworkflowParams, LoopBase, IterationParams   // run params of what a step starts
//	Param.Members, Member.Element                  // loop params in their declared types
//
// # Errors
//
// Merging and evaluating give *fault.Error: BAD_REQUEST, or INTERNAL_ERROR where Maestro says so. Evaluating can also
// end in a *NeedError, which says nothing about the params, or in an error that wraps the error of ctx. Neither may
// become the failure of a step.
//
// # Different from Maestro
//
// Results that do not fit an array or map type are a BAD_REQUEST everywhere. Workflow params can read signal instances
// where the caller sets Outside, in a dry run by name only.
package param
