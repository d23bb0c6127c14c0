package route

import (
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"weir"
)

// A table is a CEL map over the header, query or cookies of a request. Only what goes through all of it
// (a macro such as exists, size, equality) makes a real map.
type table struct {
	x     *weir.Exchange
	named func(x *weir.Exchange, name string) (string, bool)
	names func(x *weir.Exchange, visit func(name, value string))
	whole traits.Mapper // the real map; nil until it is wanted
}

func newTable(x *weir.Exchange, named func(*weir.Exchange, string) (string, bool), names func(*weir.Exchange, func(name, value string))) *table {
	return &table{x: x, named: named, names: names}
}

// Find implements traits.Mapper.
func (t *table) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	v, found := t.named(t.x, string(name))
	if !found {
		return nil, false
	}
	return types.String(v), true
}

// Get implements traits.Indexer.
func (t *table) Get(key ref.Val) ref.Val {
	if v, ok := t.Find(key); ok {
		return v
	}
	return types.NewErr("no such key: %v", key)
}

// Contains implements traits.Container.
func (t *table) Contains(key ref.Val) ref.Val {
	_, ok := t.Find(key)
	return types.Bool(ok)
}

// Type implements ref.Val.
func (t *table) Type() ref.Type { return types.MapType }

// Iterator implements traits.Iterable.
func (t *table) Iterator() traits.Iterator { return t.real().Iterator() }

// Size implements traits.Sizer.
func (t *table) Size() ref.Val { return t.real().Size() }

// Equal implements ref.Val.
func (t *table) Equal(other ref.Val) ref.Val { return t.real().Equal(other) }

// ConvertToNative implements ref.Val.
func (t *table) ConvertToNative(to reflect.Type) (any, error) { return t.real().ConvertToNative(to) }

// ConvertToType implements ref.Val.
func (t *table) ConvertToType(to ref.Type) ref.Val { return t.real().ConvertToType(to) }

// Value implements ref.Val.
func (t *table) Value() any { return t.real().Value() }

func (t *table) real() traits.Mapper {
	if t.whole == nil {
		m := map[string]string{}
		t.names(t.x, func(name, value string) {
			if _, have := m[name]; !have {
				m[name] = value
			}
		})
		t.whole = types.NewStringStringMap(types.DefaultTypeAdapter, m)
	}
	return t.whole
}

func headerNamed(x *weir.Exchange, name string) (string, bool) { return x.Request.Header.Lookup(name) }

func headerNames(x *weir.Exchange, visit func(name, value string)) {
	for _, f := range x.Request.Header.Fields() {
		visit(strings.ToLower(f.Name), f.Value)
	}
}

func queryNamed(x *weir.Exchange, name string) (string, bool) {
	value, found := x.Request.RawQueryValue(name)
	return weir.DecodeQuery(value), found
}

func queryNames(x *weir.Exchange, visit func(name, value string)) {
	for query := x.Request.Query; query != ""; {
		var name, value string
		if name, value, query = weir.NextQuery(query); name != "" {
			visit(weir.DecodeQuery(name), weir.DecodeQuery(value))
		}
	}
}

func cookieNamed(x *weir.Exchange, name string) (string, bool) { return x.Request.Cookie(name) }

func cookieNames(x *weir.Exchange, visit func(name, value string)) {
	for _, f := range x.Request.Header.Fields() {
		if f.ID != weir.FieldCookie {
			continue
		}
		for list := f.Value; list != ""; {
			var name, value string
			if name, value, list = weir.NextCookie(list); name != "" {
				visit(name, value)
			}
		}
	}
}
