package param

// named is an entry of an ordered map.
type named[T any] struct {
	Name  string
	Value T
}

// ordered is a map that keeps the order in which names came first. The zero value is empty. Reading a nil *ordered is
// reading an empty map; nil *Definitions and *Params get there by base.
type ordered[T any] struct {
	list  []named[T]
	index map[string]int // nil while there are few names
}

// indexFrom is the number of names from which on they are looked up in a Go map.
const indexFrom = 12

func (o *ordered[T]) find(name string) int {
	if o.index != nil {
		if i, ok := o.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range o.list {
		if o.list[i].Name == name {
			return i
		}
	}
	return -1
}

func (o *ordered[T]) length() int {
	if o == nil {
		return 0
	}
	return len(o.list)
}

func (o *ordered[T]) get(name string) T {
	if o != nil {
		if i := o.find(name); i >= 0 {
			return o.list[i].Value
		}
	}
	var none T
	return none
}

func (o *ordered[T]) has(name string) bool { return o != nil && o.find(name) >= 0 }

func (o *ordered[T]) names() []string {
	names := make([]string, o.length())
	for i := range names {
		names[i] = o.list[i].Name
	}
	return names
}

func (o *ordered[T]) all() func(yield func(string, T) bool) {
	return func(yield func(string, T) bool) {
		if o == nil {
			return
		}
		for i := range o.list {
			if !yield(o.list[i].Name, o.list[i].Value) {
				return
			}
		}
	}
}

// Set puts a value: at the place of its name, a new name at the end. Only for maps that the caller made.
func (o *ordered[T]) Set(name string, v T) {
	if i := o.find(name); i >= 0 {
		o.list[i].Value = v
		return
	}
	o.list = append(o.list, named[T]{name, v})
	switch {
	case o.index != nil:
		o.index[name] = len(o.list) - 1
	case len(o.list) >= indexFrom:
		o.index = make(map[string]int, 4*indexFrom)
		for i := range o.list {
			o.index[o.list[i].Name] = i
		}
	}
}

// Delete takes a name out. Only for maps that the caller made.
func (o *ordered[T]) Delete(name string) {
	i := o.find(name)
	if i < 0 {
		return
	}
	o.list = append(o.list[:i:i], o.list[i+1:]...)
	if o.index != nil {
		delete(o.index, name)
		for k := i; k < len(o.list); k++ {
			o.index[o.list[k].Name] = k
		}
	}
}

func (o *ordered[T]) clone() ordered[T] {
	var c ordered[T]
	if o == nil {
		return c
	}
	c.list = append(make([]named[T], 0, len(o.list)+4), o.list...)
	if o.index != nil {
		c.index = make(map[string]int, len(o.index)+8)
		for name, i := range o.index {
			c.index[name] = i
		}
	}
	return c
}

func (d *Definitions) base() *ordered[*Definition] {
	if d == nil {
		return nil
	}
	return &d.ordered
}

// Len is the number of names.
func (d *Definitions) Len() int { return d.base().length() }

// Get is the definition with that name, nil when there is none.
func (d *Definitions) Get(name string) *Definition { return d.base().get(name) }

// Has reports whether there is such a name.
func (d *Definitions) Has(name string) bool { return d.base().has(name) }

// Names are the names in order.
func (d *Definitions) Names() []string { return d.base().names() }

// At is the i-th name with its definition.
func (d *Definitions) At(i int) (string, *Definition) { return d.list[i].Name, d.list[i].Value }

// All iterates in order.
func (d *Definitions) All() func(yield func(string, *Definition) bool) { return d.base().all() }

func (p *Params) base() *ordered[*Param] {
	if p == nil {
		return nil
	}
	return &p.ordered
}

// Len is the number of names.
func (p *Params) Len() int { return p.base().length() }

// Get is the parameter with that name, nil when there is none.
func (p *Params) Get(name string) *Param { return p.base().get(name) }

// Has reports whether there is such a name.
func (p *Params) Has(name string) bool { return p.base().has(name) }

// Names are the names in order.
func (p *Params) Names() []string { return p.base().names() }

// At is the i-th name with its parameter.
func (p *Params) At(i int) (string, *Param) { return p.list[i].Name, p.list[i].Value }

// All iterates in order.
func (p *Params) All() func(yield func(string, *Param) bool) { return p.base().all() }
