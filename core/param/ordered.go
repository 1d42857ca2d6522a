package param

// named is an entry of an ordered map.
type named[T any] struct {
	Name  string
	Value T
}

// ordered is a map that keeps the order in which names came first. The zero value is empty.
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

// Len is the number of names. A nil map has none.
func (o *ordered[T]) Len() int {
	if o == nil {
		return 0
	}
	return len(o.list)
}

// Get is the value under the name; the zero value when there is none.
func (o *ordered[T]) Get(name string) T {
	if o != nil {
		if i := o.find(name); i >= 0 {
			return o.list[i].Value
		}
	}
	var none T
	return none
}

// Has reports whether there is such a name.
func (o *ordered[T]) Has(name string) bool { return o != nil && o.find(name) >= 0 }

// At is the i-th name and value.
func (o *ordered[T]) At(i int) (string, T) { return o.list[i].Name, o.list[i].Value }

// Names are the names in order.
func (o *ordered[T]) Names() []string {
	names := make([]string, o.Len())
	for i := range names {
		names[i] = o.list[i].Name
	}
	return names
}

// All iterates in order.
func (o *ordered[T]) All() func(yield func(string, T) bool) {
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
