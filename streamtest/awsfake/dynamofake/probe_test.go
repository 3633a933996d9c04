package dynamofake_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/servertest"
)

// The same probes run against the fake and against a server that others wrote,
// so that what the fake is trusted for is not only its own opinion.

var probes = []struct {
	name   string
	create string
	run    func(bench)
}{
	{"conditions", hashOnly, probeConditions},
	{"updates", hashOnly, probeUpdates},
	{"returned values", hashOnly, probeReturnedValues},
	{"refused values", hashOnly, probeRefusedValues},
	{"transactions", hashOnly, probeTransactions},
	{"queries", withSort, probeQueries},
	{"batches", withSort, probeBatches},
	{"tables", hashOnly, probeTables},
}

func TestFakeAnswersTheProbes(t *testing.T) {
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) { p.run(benchOf(t, fresh(), p.create)) })
	}
}

func TestServerAnswersTheProbes(t *testing.T) {
	s := server{servertest.Endpoint(t, "dynamodb")}
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) { p.run(benchOf(t, s, p.create)) })
	}
}

// conditionProbes are conditions about the item of probeConditions.
var conditionProbes = []struct{ condition, want string }{
	{"n = :7", "yes"}, {"n = :7e0", "yes"}, {"n <> :7", "no"}, {"n < :10", "yes"}, {"n >= :7", "yes"}, {"n > :7", "no"},
	{":7 = n", "yes"}, {"n = :s", "no"}, {"n < :s", "no"}, {"txt = :s", "yes"}, {"txt > :a", "yes"},
	{"gone = :7", "no"}, {"gone <> :7", "yes"}, {"NOT gone = :7", "yes"}, {"gone < :7", "no"}, {"gone = gone2", "no"}, {"gone <> gone2", "yes"},
	{"n <> gone", "yes"}, {"n = gone", "no"},
	{"attribute_exists(n)", "yes"}, {"attribute_not_exists(n)", "no"}, {"attribute_not_exists(gone)", "yes"},
	{"attribute_exists(m.a.b)", "yes"}, {"attribute_exists(m.x.b)", "no"}, {"attribute_exists(l[1])", "yes"}, {"attribute_exists(l[9])", "no"},
	{"attribute_type(n, :N)", "yes"}, {"attribute_type(n, :S)", "no"}, {"attribute_type(gone, :S)", "no"}, {"attribute_type(n, :s)", "ValidationException"},
	{"begins_with(txt, :a)", "no"}, {"begins_with(txt, :h)", "yes"}, {"begins_with(n, :h)", "no"}, {"begins_with(txt, :7)", "ValidationException"},
	{"contains(txt, :ell)", "yes"}, {"contains(ss, :a)", "yes"}, {"contains(ss, :h)", "no"}, {"contains(l, :7)", "yes"}, {"contains(ns, :7)", "yes"},
	{"contains(txt, :7)", "no"}, {"contains(gone, :a)", "no"}, {"contains(m, :a)", "no"},
	{"size(txt) = :5", "yes"}, {"size(ss) > :5", "no"}, {"size(l) < :5", "yes"}, {"size(m) < :5", "yes"}, {"size(gone) < :5", "no"}, {"size(n) < :5", "no"},
	{"size(bin) < :5", "yes"}, {"size(gone) <> :5", "yes"},
	{"n BETWEEN :5 AND :10", "yes"}, {"n BETWEEN :10 AND :5", "ValidationException"}, {"n BETWEEN :5 AND :s", "ValidationException"}, {"gone BETWEEN :5 AND :10", "no"},
	{"n IN (:5, :7)", "yes"}, {"n IN (:5)", "no"}, {"n IN (:5, :s)", "no"}, {"gone IN (:5)", "no"},
	{"n = :5 OR n = :7 AND txt = :s", "yes"}, {"(n = :5 OR n = :7) AND txt = :a", "no"}, {"NOT n = :5 AND NOT txt = :a", "yes"}, {"not (n = :5 or n = :7)", "no"},
	{"m.a.b = :7", "yes"}, {"#m.#a.#b = :7", "yes"}, {"l[0] = :7", "yes"}, {"l[1].k = :s", "yes"}, {"n.x = :7", "no"},
	{"yes = :true", "yes"}, {"nil = :null", "yes"}, {"yes < :true", "ValidationException"}, {"n < :null", "ValidationException"},
	{"ss = :ss", "yes"}, {"l = :l", "yes"}, {"m = :l", "no"}, {"bin = :bin", "yes"}, {"ss < :a", "no"},
	{"status = :7", "ValidationException"}, {"m.status = :7", "ValidationException"}, {"n = ", "ValidationException"}, {"n = :7 AND", "ValidationException"},
	{"n == :7", "ValidationException"}, {"n = :nix", "ValidationException"}, {"#nix = :7", "ValidationException"}, {"n = :7 )", "ValidationException"},
	{"", "ValidationException"}, {"frob(n)", "ValidationException"}, {"n = n", "ValidationException"}, {"size(n)", "ValidationException"},
	{"n", "ValidationException"}, {"attribute_exists(:7)", "ValidationException"}, {"n = :7 n = :7", "ValidationException"}, {"n ! :7", "ValidationException"},
	{"(n = :7", "ValidationException"}, {"((n = :7))", "ValidationException"}, {"((n = :7) AND (txt = :s))", "yes"}, {"(n = :7) AND ((txt = :s) OR n = :5)", "yes"}, {"n + :7 = :7", "ValidationException"}, {"l[-1] = :7", "ValidationException"},
	{"m.a.b <> :7", "no"}, {"if_not_exists(n, :7) = :7", "ValidationException"}, {"_n = :7", "ValidationException"}, {"n_1 = :7", "no"},
}

var probeNames = map[string]string{"#m": "m", "#a": "a", "#b": "b"}

var probeValues = map[string]string{
	":5": `{"N":"5"}`, ":7": `{"N":"7"}`, ":7e0": `{"N":"7.0"}`, ":10": `{"N":"10"}`, ":s": `{"S":"hello"}`, ":a": `{"S":"a"}`, ":h": `{"S":"he"}`, ":ell": `{"S":"ell"}`,
	":N": `{"S":"N"}`, ":S": `{"S":"S"}`, ":true": `{"BOOL":true}`, ":null": `{"NULL":true}`, ":ss": `{"SS":["b","a"]}`, ":bs": `{"SS":["b"]}`, ":ab": `{"SS":["a","b"]}`,
	":l": `{"L":[{"N":"7"},{"M":{"k":{"S":"hello"}}}]}`, ":bin": `{"B":"aGk="}`, ":ns": `{"NS":["7","8.5"]}`, ":m": `{"M":{}}`,
}

const probeItem = `{"id":{"S":"x"},"n":{"N":"7"},"txt":{"S":"hello"},"yes":{"BOOL":true},"nil":{"NULL":true},"bin":{"B":"aGk="},` +
	`"ss":{"SS":["a","b"]},"ns":{"NS":["7","8.5"]},"m":{"M":{"a":{"M":{"b":{"N":"7"}}}}},"l":{"L":[{"N":"7"},{"M":{"k":{"S":"hello"}}}]}}`

// placeholders are the names and values that an expression mentions, as
// members of a request.
func placeholders(expression string) string {
	out := ""
	var names, values []string
	for _, word := range strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" (),.[]=<>+-!", r) }) {
		if v, ok := probeNames[word]; ok && !strings.Contains(strings.Join(names, ","), `"`+word+`"`) {
			names = append(names, fmt.Sprintf("%q:%q", word, v))
		}
		if v, ok := probeValues[word]; ok && !strings.Contains(strings.Join(values, ","), `"`+word+`"`) {
			values = append(values, fmt.Sprintf("%q:%s", word, v))
		}
	}
	if names != nil {
		out += `,"ExpressionAttributeNames":{` + strings.Join(names, ",") + "}"
	}
	if values != nil {
		out += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + "}"
	}
	return out
}

func (b bench) judge(condition string) string {
	b.Helper()
	out := b.send("UpdateItem", fmt.Sprintf(`{"TableName":"T","Key":{"id":{"S":"x"}},"ConditionExpression":%q%s}`, condition, placeholders(condition)))
	switch out {
	case "{}":
		return "yes"
	case "ConditionalCheckFailedException":
		return "no"
	}
	return out
}

func probeConditions(b bench) {
	b.must("PutItem", `{"TableName":"T","Item":`+probeItem+`}`)
	for _, p := range conditionProbes {
		if got := b.judge(p.condition); got != p.want {
			b.Errorf("condition %q: got %s, want %s", p.condition, got, p.want)
		}
	}
}

// updateProbes are updates of the item {id: x, n: 7, ss: <a, b>, l: [7, {k: hello}], m: {a: {b: 7}}},
// and what the named attributes are afterwards.
var updateProbes = []struct{ update, want string }{
	{"SET n = :5", `{"n":{"N":"5"}}`},
	{"SET n = n + :5", `{"n":{"N":"12"}}`},
	{"SET n = n - :10", `{"n":{"N":"-3"}}`},
	{"SET n = :10 - n", `{"n":{"N":"3"}}`},
	{"SET n = n + :s", "ValidationException"},
	{"SET n = ss + :5", "ValidationException"},
	{"SET n = gone", "ValidationException"},
	{"SET n = gone + :5", "ValidationException"},
	{"SET n = if_not_exists(n, :5)", `{"n":{"N":"7"}}`},
	{"SET gone = if_not_exists(gone, :5) + :10", `{"gone":{"N":"15"}}`},
	{"SET gone = if_not_exists(gone, n)", `{"gone":{"N":"7"}}`},
	{"SET l = list_append(l, :l)", `{"l":{"L":[{"N":"7"},{"M":{"k":{"S":"hello"}}},{"N":"7"},{"M":{"k":{"S":"hello"}}}]}}`},
	{"SET l = list_append(l, :5)", "ValidationException"},
	{"SET l = list_append(n, :l)", "ValidationException"},
	{"SET gone = list_append(if_not_exists(gone, :l), :l)", `{"gone":{"L":[{"N":"7"},{"M":{"k":{"S":"hello"}}},{"N":"7"},{"M":{"k":{"S":"hello"}}}]}}`},
	{"SET m.a.c = :5", `{"m":{"M":{"a":{"M":{"b":{"N":"7"},"c":{"N":"5"}}}}}}`},
	{"SET #m.#a.#b = n + :5", `{"m":{"M":{"a":{"M":{"b":{"N":"12"}}}}}}`},
	{"SET m.x.c = :5", "ValidationException"},
	{"SET gone.x = :5", "ValidationException"},
	{"SET n.x = :5", "ValidationException"},
	{"SET n[0] = :5", "ValidationException"},
	{"SET l[0] = :5", `{"l":{"L":[{"N":"5"},{"M":{"k":{"S":"hello"}}}]}}`},
	{"SET l[9] = :5", `{}`},
	{"SET l[1].k = :5", `{"l":{"L":[{"N":"7"},{"M":{"k":{"N":"5"}}}]}}`},
	{"SET n = :5, txt = n", `{"n":{"N":"5"},"txt":{"N":"7"}}`},
	{"SET n = :5 SET txt = :5", "ValidationException"},
	{"SET n = :5, n = :7", "ValidationException"},
	{"SET m = :5, m.a = :7", "ValidationException"},
	{"SET l[0] = :5, l.a = :7", "ValidationException"},
	{"SET id = :s", "ValidationException"},
	{"SET status = :s", "ValidationException"},
	{"SET n = :5 REMOVE txt ADD ns :ns", `{"n":{"N":"5"},"ns":{"NS":["7","8.5"]}}`},
	{"set n = :5 remove ss", `{"n":{"N":"5"}}`},
	{"REMOVE n", `{}`},
	{"REMOVE gone", `{}`},
	{"REMOVE m.a.b", `{}`},
	{"REMOVE m.x.b", "ValidationException"},
	{"REMOVE gone.b", "ValidationException"},
	{"REMOVE l[0]", `{"l":{"L":[{"M":{"k":{"S":"hello"}}}]}}`},
	{"REMOVE l[7]", `{}`},
	{"REMOVE id", "ValidationException"},
	{"ADD n :5", `{"n":{"N":"12"}}`},
	{"ADD gone :5", `{"gone":{"N":"5"}}`},
	{"ADD ss :bs", `{"ss":{"SS":["a","b"]}}`},
	{"ADD gone :ss", `{"gone":{"SS":["a","b"]}}`},
	{"ADD ss :5", "ValidationException"},
	{"ADD n :s", "ValidationException"},
	{"ADD l :l", "ValidationException"},
	{"ADD m.a.b :5", `{"m":{"M":{"a":{"M":{"b":{"N":"12"}}}}}}`},
	{"DELETE ss :bs", `{"ss":{"SS":["a"]}}`},
	{"DELETE ss :ab", `{}`},
	{"DELETE gone :bs", `{}`},
	{"DELETE n :5", "ValidationException"},
	{"DELETE n :bs", "ValidationException"},
	{"SET n :5", "ValidationException"},
	{"SET n = :5,", "ValidationException"},
	{"FROB n = :5", "ValidationException"},
	{"", "ValidationException"},
	{"SET n = (:5)", `{"n":{"N":"5"}}`},
	{"SET n = size(txt)", "ValidationException"},
}

func probeUpdates(b bench) {
	for _, p := range updateProbes {
		b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"x"},"n":{"N":"7"},"ss":{"SS":["a","b"]},"m":{"M":{"a":{"M":{"b":{"N":"7"}}}}},"l":{"L":[{"N":"7"},{"M":{"k":{"S":"hello"}}}]}}}`)
		want := p.want
		if want != "ValidationException" {
			want = `{"Attributes":` + want + `}`
		}
		if want == `{"Attributes":{}}` {
			want = "{}"
		}
		b.want("UpdateItem", fmt.Sprintf(`{"TableName":"T","Key":{"id":{"S":"x"}},"ReturnValues":"UPDATED_NEW","UpdateExpression":%q%s}`, p.update, placeholders(p.update)), want)
	}
	// An update of nothing makes the row.
	for i, update := range []string{"", `,"UpdateExpression":"REMOVE n"`, `,"UpdateExpression":"SET n = :5","ExpressionAttributeValues":{":5":{"N":"5"}}`} {
		key := fmt.Sprintf(`{"id":{"S":"new-%d"}}`, i)
		b.must("UpdateItem", `{"TableName":"T","Key":`+key+update+`}`)
		want := `{"Item":` + key + `}`
		if i == 2 {
			want = `{"Item":{"id":{"S":"new-2"},"n":{"N":"5"}}}`
		}
		b.want("GetItem", `{"TableName":"T","ConsistentRead":true,"Key":`+key+`}`, want)
	}
}

func probeReturnedValues(b bench) {
	b.want("PutItem", `{"TableName":"T","Item":{"id":{"S":"x"},"n":{"N":"1"}},"ReturnValues":"ALL_OLD"}`, `{}`)
	b.want("PutItem", `{"TableName":"T","Item":{"id":{"S":"x"},"n":{"N":"2"},"o":{"N":"0"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"id":{"S":"x"},"n":{"N":"1"}}}`)
	b.want("PutItem", `{"TableName":"T","Item":{"id":{"S":"x"}},"ReturnValues":"ALL_NEW"}`, "ValidationException")
	const update = `{"TableName":"T","Key":{"id":{"S":"x"}},"UpdateExpression":"SET n = n + :1","ExpressionAttributeValues":{":1":{"N":"1"}},"ReturnValues":"%s"}`
	b.want("UpdateItem", fmt.Sprintf(update, "ALL_NEW"), `{"Attributes":{"id":{"S":"x"},"n":{"N":"3"},"o":{"N":"0"}}}`)
	b.want("UpdateItem", fmt.Sprintf(update, "ALL_OLD"), `{"Attributes":{"id":{"S":"x"},"n":{"N":"3"},"o":{"N":"0"}}}`)
	b.want("UpdateItem", fmt.Sprintf(update, "UPDATED_NEW"), `{"Attributes":{"n":{"N":"5"}}}`)
	b.want("UpdateItem", fmt.Sprintf(update, "UPDATED_OLD"), `{"Attributes":{"n":{"N":"5"}}}`)
	b.want("UpdateItem", fmt.Sprintf(update, "NONE"), `{}`)
	b.want("UpdateItem", fmt.Sprintf(update, "SOME"), "ValidationException")
	const refused = `{"TableName":"T","Key":{"id":{"S":"%s"}},"ConditionExpression":"n = :1","ExpressionAttributeValues":{":1":{"N":"1"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`
	b.want("DeleteItem", fmt.Sprintf(refused, "x"), `ConditionalCheckFailedException {"id":{"S":"x"},"n":{"N":"7"},"o":{"N":"0"}}`)
	b.want("UpdateItem", fmt.Sprintf(refused, "x"), `ConditionalCheckFailedException {"id":{"S":"x"},"n":{"N":"7"},"o":{"N":"0"}}`)
	b.want("DeleteItem", fmt.Sprintf(refused, "nobody"), `ConditionalCheckFailedException`)
	b.want("DeleteItem", `{"TableName":"T","Key":{"id":{"S":"x"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"id":{"S":"x"},"n":{"N":"7"},"o":{"N":"0"}}}`)
	b.want("DeleteItem", `{"TableName":"T","Key":{"id":{"S":"x"}},"ReturnValues":"ALL_OLD"}`, `{}`)
	b.want("GetItem", `{"TableName":"T","Key":{"id":{"S":"x"}}}`, `{}`)
	b.must("PutItem", `{"TableName":"T","Item":`+probeItem+`}`)
	b.want("GetItem", `{"TableName":"T","Key":{"id":{"S":"x"}},"ConsistentRead":true,"ProjectionExpression":"n, #m.a.b, l[1], gone, ss[0]","ExpressionAttributeNames":{"#m":"m"}}`,
		`{"Item":{"l":{"L":[{"M":{"k":{"S":"hello"}}}]},"m":{"M":{"a":{"M":{"b":{"N":"7"}}}}},"n":{"N":"7"}}}`)
	b.want("GetItem", `{"TableName":"T","Key":{"id":{"S":"x"}},"ProjectionExpression":"n, n"}`, "ValidationException")
}

func probeRefusedValues(b bench) {
	for _, item := range []string{
		`{"id":{"S":""}}`, `{"id":{"N":"1"}}`, `{"x":{"S":"1"}}`, `{"id":{"S":"x"},"a":{"SS":[]}}`, `{"id":{"S":"x"},"a":{"SS":["a","a"]}}`,
		`{"id":{"S":"x"},"a":{"NS":["1","1.0"]}}`, `{"id":{"S":"x"},"a":{"N":"abc"}}`, `{"id":{"S":"x"},"a":{"N":""}}`, `{"id":{"S":"x"},"a":{"NULL":false}}`,
		`{"id":{"S":"x"},"a":{"N":"123456789012345678901234567890123456789"}}`, `{"id":{"S":"x"},"a":{"N":"1E126"}}`, `{"id":{"S":"x"},"a":{"N":"1E-131"}}`,
		`{"id":{"S":"x"},"a":{}}`, `{"id":{"S":"x"},"a":{"S":"a","N":"1"}}`, `{"id":{"S":"` + strings.Repeat("k", 2049) + `"}}`,
		`{"id":{"S":"x"},"a":{"S":"` + strings.Repeat("k", 400*1024) + `"}}`,
	} {
		b.want("PutItem", `{"TableName":"T","Item":`+item+`}`, "ValidationException")
	}
	for number, want := range map[string]string{
		"1.50": "1.5", "-0": "0", "1E3": "1000", "0012": "12", "+5": "5", "-1.20e-3": "-0.0012", "100": "100", ".5": "0.5",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678", "9.9E125": "99" + strings.Repeat("0", 124),
	} {
		b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"x"},"n":{"N":"`+number+`"},"e":{"S":""},"m":{"M":{}},"l":{"L":[]}}}`)
		b.want("GetItem", `{"TableName":"T","ConsistentRead":true,"Key":{"id":{"S":"x"}},"ProjectionExpression":"n"}`, `{"Item":{"n":{"N":"`+want+`"}}}`)
	}
	for _, body := range []string{
		`{"TableName":"T","Key":{"id":{"S":"x"},"b":{"S":"x"}}}`, `{"TableName":"T","Key":{"id":{"N":"1"}}}`, `{"TableName":"T","Key":{}}`,
		`{"TableName":"T","Key":{"id":{"S":"x"}},"ExpressionAttributeNames":{"#a":"a"}}`,
		`{"TableName":"T","Key":{"id":{"S":"x"}},"ConditionExpression":"n = :1","ExpressionAttributeValues":{":1":{"N":"1"},":2":{"N":"2"}}}`,
		`{"TableName":"T","Key":{"id":{"S":"x"}},"ConditionExpression":"attribute_exists(n)","ExpressionAttributeNames":{"#a":"a"}}`,
		`{"TableName":"T","Key":{"id":{"S":"x"}},"ConditionExpression":"n = :1","ExpressionAttributeValues":{"1":{"N":"1"}}}`,
	} {
		b.want("DeleteItem", body, "ValidationException")
	}
	b.want("DeleteItem", `{"TableName":"no-such-table","Key":{"id":{"S":"x"}}}`, "ResourceNotFoundException")
}
