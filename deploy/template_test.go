package deploy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// template is a template of CloudFormation with parameters, of which the
// functions can be worked out.
type template struct {
	*testing.T
	name       string
	doc        map[string]any
	parameters map[string]any
}

// noValue is what a property has that is left out.
type noValue struct{}

// pseudo are the parameters that are always there.
var pseudo = map[string]any{
	"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1", "AWS::Partition": "aws",
	"AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": noValue{}, "AWS::StackName": "stack",
}

// openTemplate reads a template and gives its parameters these values, and those
// that are not named their defaults.
func openTemplate(t *testing.T, path string, values map[string]any) *template {
	t.Helper()
	c := &template{T: t, name: path, doc: readYAML(t, path), parameters: maps.Clone(pseudo)}
	declared := c.doc["Parameters"].(map[string]any)
	for name, p := range declared {
		if v, ok := p.(map[string]any)["Default"]; ok {
			c.parameters[name] = v
		}
	}
	for name, v := range values {
		if _, ok := declared[name]; !ok {
			t.Fatalf("%s has no parameter %s", path, name)
		}
		c.parameters[name] = v
	}
	return c
}

// resources are those of a type which are made with these parameters.
func (c *template) resources(kind string) map[string]map[string]any {
	c.Helper()
	all := map[string]map[string]any{}
	for name, r := range c.doc["Resources"].(map[string]any) {
		r := r.(map[string]any)
		if r["Type"] == kind && (r["Condition"] == nil || c.condition(r["Condition"].(string))) {
			all[name] = c.eval(r["Properties"]).(map[string]any)
		}
	}
	return all
}

func (c *template) condition(name string) bool {
	c.Helper()
	conditions, _ := c.doc["Conditions"].(map[string]any)
	v, ok := c.eval(conditions[name]).(bool)
	if !ok {
		c.Fatalf("%s: condition %s is none", c.name, name)
	}
	return v
}

// eval works out the functions in v.
func (c *template) eval(v any) any {
	c.Helper()
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, one := range v {
			if one = c.eval(one); one != (noValue{}) {
				list = append(list, one)
			}
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || name == "Condition" && isString(argument) || strings.HasPrefix(name, "Fn::") {
					return c.call(name, argument)
				}
			}
		}
		m := map[string]any{}
		for k, one := range v {
			if one = c.eval(one); one != (noValue{}) {
				m[k] = one
			}
		}
		return m
	}
	return v
}

func isString(v any) bool { _, ok := v.(string); return ok }

func (c *template) call(name string, argument any) any {
	c.Helper()
	switch name {
	case "Ref":
		return c.ref(argument.(string))
	case "Condition":
		return c.condition(argument.(string))
	case "Fn::GetAtt":
		list := argument.([]any)
		return c.attribute(list[0].(string), list[1].(string))
	case "Fn::Sub":
		return regexp.MustCompile(`\$\{([A-Za-z:]+)(\.[A-Za-z]+)?\}`).ReplaceAllStringFunc(argument.(string), func(s string) string {
			of, attribute, found := strings.Cut(s[2:len(s)-1], ".")
			if found {
				return c.attribute(of, attribute)
			}
			return fmt.Sprint(c.ref(of))
		})
	case "Fn::If":
		list := argument.([]any)
		if c.condition(list[0].(string)) {
			return c.eval(list[1])
		}
		return c.eval(list[2])
	case "Fn::Equals":
		list := argument.([]any)
		return fmt.Sprint(c.eval(list[0])) == fmt.Sprint(c.eval(list[1]))
	case "Fn::Not":
		return !c.eval(argument.([]any)[0]).(bool)
	}
	c.Fatalf("%s: %s is not known here", c.name, name)
	return nil
}

// names are the properties that a Ref is of, by the type of the resource.
var names = map[string]string{
	"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName", "AWS::S3::Bucket": "BucketName",
	"AWS::Kinesis::Stream": "Name", "AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::SNS::Topic": "TopicName",
}

// arns are the beginnings of the ARNs of resources.
var arns = map[string]string{
	"AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-west-1:123456789012:table/", "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:",
	"AWS::S3::Bucket": "arn:aws:s3:::", "AWS::Kinesis::Stream": "arn:aws:kinesis:eu-west-1:123456789012:stream/",
	"AWS::IAM::Role": "arn:aws:iam::123456789012:role/",
}

func (c *template) ref(name string) any {
	c.Helper()
	if v, ok := c.parameters[name]; ok {
		return v
	}
	return c.property(name, names)
}

func (c *template) attribute(of, attribute string) string {
	c.Helper()
	kind := c.resource(of)["Type"].(string)
	if attribute == "QueueName" || attribute == "TopicName" {
		return c.property(of, names)
	}
	if attribute != "Arn" || arns[kind] == "" {
		c.Fatalf("%s: %s.%s is not known here", c.name, of, attribute)
	}
	return arns[kind] + c.property(of, names)
}

func (c *template) resource(name string) map[string]any {
	c.Helper()
	r, ok := c.doc["Resources"].(map[string]any)[name].(map[string]any)
	if !ok {
		c.Fatalf("%s: there is no %s", c.name, name)
	}
	return r
}

func (c *template) property(of string, which map[string]string) string {
	c.Helper()
	r := c.resource(of)
	v, ok := c.eval(r["Properties"].(map[string]any)[which[r["Type"].(string)]]).(string)
	if !ok {
		c.Fatalf("%s: %s has no name", c.name, of)
	}
	return v
}

// combinations are all values of these parameters, each with each.
func combinations(choices map[string][]any) []map[string]any {
	all := []map[string]any{{}}
	for _, name := range slices.Sorted(maps.Keys(choices)) {
		var more []map[string]any
		for _, one := range all {
			for _, v := range choices[name] {
				with := maps.Clone(one)
				with[name] = v
				more = append(more, with)
			}
		}
		all = more
	}
	return all
}
