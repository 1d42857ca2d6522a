package param

import (
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/wire"
)

// Tag is a name with attributes, on workflows, steps, properties and parameters (workflow-definition.md 4.5).
type Tag struct {
	Name       string
	Namespace  string // one of the six, upper case; "" for none
	Attributes []wire.Field
}

// Tags are tags in order. nil is absent, which differs from an empty list.
type Tags []Tag

var namespaces = []string{"SYSTEM", "RUNTIME", "JOB_TEMPLATE", "NOTEBOOK_TEMPLATE", "USER_DEFINED", "PLATFORM"}

// Equal reports the same name, namespace and attributes.
func (t Tag) Equal(u Tag) bool {
	return t.Name == u.Name && t.Namespace == u.Namespace && len(t.Attributes) == len(u.Attributes) &&
		wire.ObjectOf(t.Attributes).Equal(wire.ObjectOf(u.Attributes))
}

// AppendJSON appends the tag, always as an object.
func (t Tag) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.Open()
	w.Str("name", t.Name)
	w.StrIf("namespace", t.Namespace)
	for _, a := range t.Attributes {
		w.Value(a.Name, a.Value)
	}
	w.Close()
	return w.Bytes()
}

// AppendJSON appends the list, `[]` for nil.
func (t Tags) AppendJSON(b []byte) []byte {
	b = append(b, '[')
	for i := range t {
		if i > 0 {
			b = append(b, ',')
		}
		b = t[i].AppendJSON(b)
	}
	return append(b, ']')
}

// Equal reports equal tags, in any order.
func (t Tags) Equal(u Tags) bool {
	if len(t) != len(u) {
		return false
	}
	for _, tag := range t {
		if !u.contains(tag) {
			return false
		}
	}
	return true
}

func (t Tags) contains(tag Tag) bool { return slices.ContainsFunc(t, tag.Equal) }

// union is t followed by the tags of u that t does not have; an empty list for none.
func (t Tags) union(u Tags) Tags {
	if len(t) == 0 && len(u) == 0 {
		return noTags
	}
	if len(u) == 0 {
		return t
	}
	all := append(make(Tags, 0, len(t)+len(u)), t...)
	for _, tag := range u {
		if !all.contains(tag) {
			all = append(all, tag)
		}
	}
	return all
}

var noTags = Tags{}

// DuplicateName is the first name that occurs twice; "" if none does.
func (t Tags) DuplicateName() string {
	for i := range t {
		for k := range i {
			if t[k].Name == t[i].Name {
				return t[i].Name
			}
		}
	}
	return ""
}

// ReadTag reads a tag: a text, which is its name, or an object with a collector named attributes.
func ReadTag(n wire.Node) Tag {
	if n.Value().Kind() == wire.KindString {
		return Tag{Name: n.Str()}
	}
	o := n.Object()
	if o == nil {
		n.Fail("a tag must be a text or an object")
		return Tag{}
	}
	return Tag{
		Name:       o.Str("name"),
		Namespace:  strings.ToUpper(o.Enum("namespace", namespaces)),
		Attributes: o.Rest("attributes"),
	}
}

// ReadTags reads a list of tags; nil for null.
func ReadTags(n wire.Node) Tags {
	list := n.List()
	if list == nil {
		return nil
	}
	tags := make(Tags, len(list))
	for i, e := range list {
		tags[i] = ReadTag(e)
	}
	return tags
}
