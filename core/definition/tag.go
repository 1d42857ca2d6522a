package definition

import (
	"strings"

	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// ReadTagBody reads the body of a request that is one tag, and applies the rule for its name.
func ReadTagBody(body []byte) (param.Tag, error) {
	v, err := wire.Parse(body)
	if err != nil {
		return param.Tag{}, faultOf(err)
	}
	root := wire.Root(v, "")
	t := param.ReadTag(root)
	if err := root.Err(); err != nil {
		return param.Tag{}, faultOf(err)
	}
	var bad violations
	bad.add("name", CheckName(t.Name))
	return t, bad.fault()
}

// uniqueTags is the rule for duplicates that is applied while the tags of a workflow are read.
func uniqueTags(v wire.Node, tags param.Tags) {
	if tags.DuplicateName() == "" {
		return
	}
	names := make([]string, len(tags))
	for i := range tags {
		names[i] = "Tag(name=" + tags[i].Name + ")"
	}
	v.Fail("Invalid tag list as there are duplicate tag names: [%s]", strings.Join(names, ", "))
}

// platformTag is a property tag as it is stored: the server owns namespace, creator and time.
func platformTag(t param.Tag, caller User, now int64) param.Tag {
	out := param.Tag{Name: t.Name, Namespace: "PLATFORM"}
	for _, a := range t.Attributes {
		if a.Name != "creator" && a.Name != "created_at_milli" {
			out.Attributes = append(out.Attributes, a)
		}
	}
	out.Attributes = append(out.Attributes, wire.Field{Name: "creator", Value: wire.Text(caller.Name)},
		wire.Field{Name: "created_at_milli", Value: wire.Integer(now)})
	return out
}

func withTag(tags param.Tags, t param.Tag) param.Tags {
	out := append(param.Tags{}, tags...)
	for i := range out {
		if out[i].Name == t.Name {
			out[i] = t
			return out
		}
	}
	return append(out, t)
}

func withoutTag(tags param.Tags, name string) (param.Tags, bool) {
	out, found := param.Tags{}, false
	for _, t := range tags {
		if t.Name == name {
			found = true
			continue
		}
		out = append(out, t)
	}
	return out, found
}
