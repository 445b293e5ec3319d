package configdoc

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep a document may be nested.
const maxDepth = 50

// fromYAML turns a YAML document into JSON text. Aliases are refused: a small
// document could stand for a huge one.
func fromYAML(data []byte) ([]byte, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	if err := d.Decode(&root); err != nil {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); err == nil {
		return nil, errors.New("there are several documents; send one")
	}
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	if err := writeNode(e, root.Content[0], 0); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeNode(e *jsontext.Encoder, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("line %d: nested too deep", n.Line)
	}
	switch n.Kind {
	case yaml.MappingNode:
		if err := e.WriteToken(jsontext.BeginObject); err != nil {
			return err
		}
		for i, child := range n.Content {
			if i%2 == 0 {
				if child.Kind != yaml.ScalarNode || child.Tag == "!!merge" {
					return fmt.Errorf("line %d: a name is expected", child.Line)
				}
				if err := e.WriteToken(jsontext.String(child.Value)); err != nil {
					return fmt.Errorf("line %d: %w", child.Line, err)
				}
				continue
			}
			if err := writeNode(e, child, depth+1); err != nil {
				return err
			}
		}
		return e.WriteToken(jsontext.EndObject)
	case yaml.SequenceNode:
		if err := e.WriteToken(jsontext.BeginArray); err != nil {
			return err
		}
		for _, child := range n.Content {
			if err := writeNode(e, child, depth+1); err != nil {
				return err
			}
		}
		return e.WriteToken(jsontext.EndArray)
	case yaml.ScalarNode:
		return writeScalar(e, n)
	}
	return fmt.Errorf("line %d: anchors and aliases are not supported", n.Line)
}

func writeScalar(e *jsontext.Encoder, n *yaml.Node) error {
	switch n.Tag {
	case "!!null":
		return e.WriteToken(jsontext.Null)
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return err
		}
		return e.WriteToken(jsontext.Bool(b))
	case "!!int", "!!float":
		var i int64
		if err := n.Decode(&i); err == nil && n.Tag == "!!int" {
			return e.WriteToken(jsontext.Int(i))
		}
		if v := jsontext.Value(n.Value); v.IsValid() && v.Kind() == '0' {
			return e.WriteValue(v) // judged like a number of JSON
		}
	}
	if err := e.WriteToken(jsontext.String(n.Value)); err != nil { // times too: they are texts to us
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// toYAML turns JSON text into YAML with the members in the same order.
func toYAML(data []byte) ([]byte, error) {
	node, err := readNode(jsontext.NewDecoder(bytes.NewReader(data)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(node); err != nil {
		return nil, fmt.Errorf("configdoc: YAML: %w", err)
	}
	return out.Bytes(), e.Close()
}

func readNode(d *jsontext.Decoder) (*yaml.Node, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{', '[':
		n := &yaml.Node{Kind: yaml.MappingNode}
		if token.Kind() == '[' {
			n.Kind = yaml.SequenceNode
		}
		for k := d.PeekKind(); k != '}' && k != ']'; k = d.PeekKind() {
			child, err := readNode(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err = d.ReadToken()
		return n, err
	case '"':
		n := &yaml.Node{}
		n.SetString(token.String()) // quoted where it would be read as something else
		return n, nil
	case 'n':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case 't', 'f':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: token.String()}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: token.String()}, nil
}
