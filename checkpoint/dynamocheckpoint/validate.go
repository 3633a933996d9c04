package dynamocheckpoint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// tableName is what DynamoDB allows, see
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html.
var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

// Validate says what is wrong with the arguments of Open, all at once.
func (t *Table) Validate() error {
	var problems []error
	if t.client == nil {
		problems = append(problems, errors.New("the client is nil, want a *dynamodb.Client"))
	}
	of := map[string]string{}
	for _, table := range []struct{ field, name string }{
		{"TableName", t.leases}, {"SessionTable", t.sessions}, {"StateTable", t.states}, {"ParkedTable", t.parked},
	} {
		if !tableName.MatchString(table.name) && !strings.HasPrefix(table.name, "arn:") {
			problems = append(problems, fmt.Errorf("%s is %q, want 3 to 255 letters, digits, '_', '-' and '.', or an ARN", table.field, table.name))
		}
		if other, taken := of[table.name]; taken {
			problems = append(problems, fmt.Errorf("%s and %s are both %q, want a table for each", other, table.field, table.name))
		}
		of[table.name] = table.field
	}
	if t.options.Timeout < 0 {
		problems = append(problems, fmt.Errorf("Timeout is %v, want 0 (the default) or more", t.options.Timeout))
	}
	return errors.Join(problems...)
}
