package dynamofake_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/servertest"
)

// TestServerAgreesOnRandomExpressions sends random conditions and updates to
// the fake and to a server, one after the other, and compares every outcome
// and the row that is left.
func TestServerAgreesOnRandomExpressions(t *testing.T) {
	s := server{servertest.Endpoint(t, "dynamodb")}
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			g := generator{rand.New(rand.NewPCG(seed, 26))}
			ours, theirs := benchOf(t, fresh(), hashOnly), benchOf(t, s, hashOnly)
			for range 150 {
				operation, body := g.request()
				got, want := ours.send(operation, body), theirs.send(operation, body)
				if got != want {
					t.Errorf("%s %s\n fake %s\nserver %s", operation, body, got, want)
				}
				const read = `{"TableName":"T","ConsistentRead":true,"Key":{"id":{"S":"x"}}}`
				if got, want := ours.send("GetItem", read), theirs.send("GetItem", read); got != want {
					t.Fatalf("after %s %s the row is\n fake %s\nserver %s", operation, body, got, want)
				}
			}
		})
	}
}

type generator struct{ *rand.Rand }

func (g generator) of(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g generator) request() (operation, body string) {
	if g.IntN(10) == 0 {
		return "PutItem", `{"TableName":"T","ReturnValues":"ALL_OLD","Item":` + probeItem + `}`
	}
	condition, update := g.condition(3), g.update()
	used := placeholders(condition + " " + update)
	return "UpdateItem", fmt.Sprintf(`{"TableName":"T","Key":{"id":{"S":"x"}},"ReturnValues":"%s","ReturnValuesOnConditionCheckFailure":"ALL_OLD","ConditionExpression":%q,"UpdateExpression":%q%s}`,
		g.of("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"), condition, update, used)
}

func (g generator) path() string {
	return g.of("n", "n", "txt", "yes", "nil", "bin", "ss", "ns", "m", "l", "gone", "m.a", "m.a.b", "#m.#a.#b", "l[0]", "l[1]", "l[1].k", "l[5]", "m.x")
}

func (g generator) literal() string {
	return g.of(":5", ":7", ":10", ":s", ":a", ":h", ":true", ":null", ":ss", ":l", ":bin", ":ns")
}

func (g generator) operand() string {
	switch g.IntN(5) {
	case 0:
		return "size(" + g.path() + ")"
	case 1, 2:
		return g.literal()
	}
	return g.path()
}

func (g generator) condition(depth int) string {
	if depth > 0 && g.IntN(2) == 0 {
		switch g.IntN(4) {
		case 0:
			return "NOT " + g.condition(depth-1)
		case 1:
			return "(" + g.condition(depth-1) + ") " + g.of("AND", "OR") + " " + g.condition(depth-1)
		default:
			return g.condition(depth-1) + " " + g.of("AND", "OR") + " " + g.condition(depth-1)
		}
	}
	switch g.IntN(9) {
	case 0:
		return g.of("attribute_exists", "attribute_not_exists") + "(" + g.path() + ")"
	case 1:
		return "attribute_type(" + g.path() + ", " + g.of(":N", ":S") + ")"
	case 2:
		return "begins_with(" + g.path() + ", " + g.of(":a", ":h", ":bin") + ")"
	case 3:
		return "contains(" + g.path() + ", " + g.literal() + ")"
	case 4:
		return g.path() + " BETWEEN " + g.of(":5 AND :10", ":5 AND :7", ":a AND :s", ":5 AND n", "n AND :10")
	case 5:
		return g.path() + " IN (" + g.literal() + ", " + g.operand() + ")"
	}
	return g.operand() + " " + g.of("=", "<>", "<", "<=", ">", ">=") + " " + g.operand()
}

func (g generator) update() string {
	var clauses []string
	if g.IntN(3) > 0 {
		clauses = append(clauses, "SET "+g.setting())
	}
	if g.IntN(3) == 0 {
		clauses = append(clauses, "REMOVE "+g.path())
	}
	if g.IntN(3) == 0 {
		clauses = append(clauses, "ADD "+g.path()+" "+g.of(":5", ":7", ":ss", ":bs", ":ns"))
	}
	if g.IntN(4) == 0 || clauses == nil {
		clauses = append(clauses, "DELETE "+g.path()+" "+g.of(":bs", ":ab", ":ns"))
	}
	g.Shuffle(len(clauses), func(i, j int) { clauses[i], clauses[j] = clauses[j], clauses[i] })
	return strings.Join(clauses, " ")
}

func (g generator) setting() string {
	out := g.path() + " = "
	switch g.IntN(6) {
	case 0:
		return out + g.path()
	case 1:
		return out + g.of("n", "m.a.b", "l[0]", g.path()) + g.of(" + ", " - ") + g.of(":5", ":7", "n")
	case 2:
		return out + "if_not_exists(" + g.path() + ", " + g.of(g.literal(), g.path()) + ")"
	case 3:
		return out + "list_append(" + g.of("l", ":l", g.path()) + ", " + g.of(":l", "l") + ")"
	}
	return out + g.literal()
}
