package compute

import "github.com/downbeat/downbeat/core/queue"

// Access is what one function may touch. Nothing outside this table is granted, and the stack's test reads the
// synthesised policies back into it.
type Access struct {
	Function string
	// Consumes is the queue that feeds the function; empty for api and sweep.
	Consumes queue.Name
	// Sends are the queues that it may send to.
	Sends []queue.Name
	// Items allows reading and writing items of the table and bodies in the bucket.
	Items bool
	// Due allows reading the due index.
	Due bool
	// Deletes allows deleting bodies, which only the deletion of a workflow does: the API begins it, advance goes on.
	Deletes bool
	// Publishes allows sending status events to the bus and the topic.
	Publishes bool
}

// Functions is the one list of the functions and their rights.
func Functions() []Access {
	const advance, execute, complete, trigger = queue.Advance, queue.Execute, queue.Complete, queue.Trigger
	pokes := []queue.Name{advance, execute}
	return []Access{
		{Function: "api", Sends: pokes, Items: true, Deletes: true, Publishes: true},
		// A message of newer code is put back by sending it again, so a consumer may send to its own queue.
		{Function: "trigger", Consumes: trigger, Sends: []queue.Name{advance, execute, trigger}, Items: true, Publishes: true},
		{Function: "advance", Consumes: advance, Sends: pokes, Items: true, Deletes: true, Publishes: true},
		{Function: "execute", Consumes: execute, Sends: []queue.Name{advance, execute, complete}, Items: true, Publishes: true},
		{Function: "complete", Consumes: complete, Sends: []queue.Name{advance, execute, complete}, Items: true, Publishes: true},
		{Function: "sweep", Sends: []queue.Name{advance}, Due: true},
	}
}

// tableActions are the calls of the table's adapter. A transaction is authorised by the actions of its parts.
var tableActions = []string{
	"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem",
	"dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem",
}
