package engine

import (
	"fmt"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
)

// MaxIterations is how many iterations a loop may have (engine.md 15).
const MaxIterations = 25_000

// Space is what a foreach step iterates over.
type Space struct {
	Members []param.Member // the loop params in their order, arrays
	Total   int64
}

// SpaceOf reads the loop params of an attempt. The error is for the user: the step is FATALLY_FAILED.
func SpaceOf(a *Attempt) (Space, error) {
	p := a.Params.Get("loop_params")
	if p == nil {
		return Space{}, fault.New(fault.BadRequest, "step [%s] has no loop_params", a.StepID)
	}
	members, err := p.Members()
	if err != nil {
		return Space{}, err
	}
	s := Space{Members: members, Total: 1}
	for _, m := range members {
		if !m.IsArray() {
			return Space{}, fault.New(fault.BadRequest, "loop param [%s] of step [%s] must be an array, but is a %s", m.Name, a.StepID, m.Type)
		}
	}
	for _, m := range members {
		n := int64(m.Value.Len())
		if n > 0 && s.Total > MaxIterations/n {
			s.Total = MaxIterations + 1
			continue
		}
		s.Total *= n
	}
	if s.Total > MaxIterations {
		return Space{}, fault.New(fault.BadRequest, "the loop of step [%s] has more than %d iterations", a.StepID, MaxIterations)
	}
	return s, nil
}

// Values are the loop params of an iteration, numbered from 1. The first name varies fastest.
func (s Space) Values(id int64) ([]param.Member, error) {
	values := make([]param.Member, len(s.Members))
	index := id - 1
	for i, m := range s.Members {
		n := int64(m.Value.Len())
		if n == 0 {
			return nil, fmt.Errorf("loop param %s has no element for iteration %d", m.Name, id)
		}
		v, ok := m.Element(int(index % n))
		if !ok {
			return nil, fmt.Errorf("loop param %s has no element for iteration %d", m.Name, id)
		}
		values[i] = v
		index /= n
	}
	return values, nil
}
