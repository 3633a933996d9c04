package dynamofake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Where the tables are, as it stands in their ARNs.
const arnPrefix = "arn:aws:dynamodb:us-east-1:000000000000:table/"

type keySchemaElement struct{ AttributeName, KeyType string }

type attributeDefinition struct {
	AttributeName string
	AttributeType Kind
}

type throughput struct{ ReadCapacityUnits, WriteCapacityUnits int64 }

type streamSpecification struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

type tag struct{ Key, Value string }

type indexDefinition struct {
	IndexName  string
	KeySchema  []keySchemaElement
	Projection struct {
		ProjectionType   string
		NonKeyAttributes []string `json:",omitempty"`
	}
	ProvisionedThroughput *throughput
	OnDemandThroughput    any
	WarmThroughput        any
}

// active finds a table that can be read and written, by name or ARN.
func (s *Service) active(name string) (*table, error) {
	t, err := s.find(name)
	if err == nil && s.now().Before(t.ready) {
		return nil, notFound("Requested resource not found")
	}
	return t, err
}

func (s *Service) find(name string) (*table, error) {
	name = strings.TrimPrefix(name, arnPrefix)
	if err := checkName("tableName", name); err != nil {
		return nil, err
	}
	t, ok := s.tables[name]
	if !ok {
		return nil, notFound("Requested resource not found")
	}
	return t, nil
}

func notFound(message string) error {
	return &apiError{code: "ResourceNotFoundException", message: message}
}

func inUse(format string, args ...any) error {
	return &apiError{code: "ResourceInUseException", message: fmt.Sprintf(format, args...)}
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

func checkName(parameter, name string) error {
	if !validName.MatchString(name) {
		return invalid("Invalid %s: it must have 3 to 255 characters of a-z, A-Z, 0-9, '_', '-' and '.'; got %q", parameter, name)
	}
	return nil
}

type createTableInput struct {
	TableName                 string
	KeySchema                 []keySchemaElement
	AttributeDefinitions      []attributeDefinition
	GlobalSecondaryIndexes    []indexDefinition
	BillingMode               string
	ProvisionedThroughput     *throughput
	StreamSpecification       *streamSpecification
	Tags                      []tag
	DeletionProtectionEnabled bool
	TableClass                string
	SSESpecification          any // accepted: everything here is as safe as memory is
	OnDemandThroughput        any
	WarmThroughput            any
}

// createTable is CreateTable.
func (s *Service) createTable(in createTableInput) (any, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	defined := map[string]Kind{}
	for _, d := range in.AttributeDefinitions {
		if d.AttributeType != KindString && d.AttributeType != KindNumber && d.AttributeType != KindBinary {
			return nil, unknownValue("attributeDefinitions.attributeType", string(d.AttributeType), "[B, N, S]")
		}
		defined[d.AttributeName] = d.AttributeType
	}
	k, err := schemaOf(in.KeySchema, defined)
	if err != nil {
		return nil, err
	}
	if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return nil, err
	}
	if _, taken := s.tables[in.TableName]; taken {
		return nil, inUse("Table already exists: %s", in.TableName)
	}
	now := s.now()
	t := &table{
		name: in.TableName, id: s.tableID(), schema: k, defined: defined,
		billing: in.BillingMode, throughput: in.ProvisionedThroughput,
		tags: map[string]string{}, protected: in.DeletionProtectionEnabled,
		created: now, ready: now.Add(s.creation), rows: map[string]*row{},
	}
	used := k.names()
	for _, d := range in.GlobalSecondaryIndexes {
		x, err := t.newIndex(d, t.ready)
		if err != nil {
			return nil, err
		}
		used = append(used, x.schema.names()...)
		t.indexes = append(t.indexes, x)
	}
	for name := range defined {
		if !slices.Contains(used, name) {
			return nil, invalid("One or more parameter values were invalid: Some AttributeDefinitions are not used. AttributeDefinitions: %v, keys used: %v", sortedNames(defined), used)
		}
	}
	for _, pair := range in.Tags {
		t.tags[pair.Key] = pair.Value
	}
	if wanted := in.StreamSpecification; wanted != nil && wanted.StreamEnabled {
		if err := wanted.check(); err != nil {
			return nil, err
		}
		t.stream = wanted
		s.enable(t, wanted.StreamViewType)
	}
	s.tables[t.name] = t
	return object{"TableDescription": s.describe(t)}, nil
}

// tableID is a new id: a table that is created again has another.
func (s *Service) tableID() string {
	s.requests++
	return fmt.Sprintf("00000000-0000-4000-9000-%012d", s.requests)
}

func checkBilling(mode string, t *throughput) error {
	switch {
	case mode != "" && mode != "PROVISIONED" && mode != "PAY_PER_REQUEST":
		return unknownValue("billingMode", mode, "[PROVISIONED, PAY_PER_REQUEST]")
	case mode == "PAY_PER_REQUEST" && t != nil:
		return invalid("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode != "PAY_PER_REQUEST" && t == nil:
		return invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return nil
}

// schemaOf reads a key schema: HASH, then RANGE if at all, both defined.
func schemaOf(elements []keySchemaElement, defined map[string]Kind) (schema, error) {
	var k schema
	for i, e := range elements {
		if _, ok := defined[e.AttributeName]; !ok {
			return k, invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: %v", e.AttributeName, sortedNames(defined))
		}
		switch {
		case i == 0 && e.KeyType == "HASH":
			k.hash = e.AttributeName
		case i == 1 && e.KeyType == "RANGE" && e.AttributeName != k.hash:
			k.sort = e.AttributeName
		default:
			return k, invalid("Invalid KeySchema: element %d must not be %s %s", i+1, e.KeyType, e.AttributeName)
		}
	}
	if k.hash == "" {
		return k, invalid("1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	return k, nil
}

func (t *table) newIndex(d indexDefinition, ready time.Time) (*index, error) {
	if err := checkName("indexName", d.IndexName); err != nil {
		return nil, err
	}
	if t.index(d.IndexName) != nil {
		return nil, invalid("One or more parameter values were invalid: Duplicate index name: %s", d.IndexName)
	}
	k, err := schemaOf(d.KeySchema, t.defined)
	if err != nil {
		return nil, err
	}
	switch kind := d.Projection.ProjectionType; kind {
	case "KEYS_ONLY", "ALL", "INCLUDE":
	default:
		return nil, invalid("One or more parameter values were invalid: Unknown ProjectionType: %s", kind)
	}
	if t.billing == "PAY_PER_REQUEST" && d.ProvisionedThroughput != nil {
		return nil, invalid("One or more parameter values were invalid: ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", d.IndexName)
	}
	return &index{name: d.IndexName, schema: k, projection: d.Projection.ProjectionType, include: d.Projection.NonKeyAttributes, ready: ready}, nil
}

func (t *table) index(name string) *index {
	for _, x := range t.indexes {
		if x.name == name {
			return x
		}
	}
	return nil
}

type tableNameInput struct{ TableName string }

// describeTable is DescribeTable.
func (s *Service) describeTable(in tableNameInput) (any, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, missingTable(err, in.TableName)
	}
	return object{"Table": s.describe(t)}, nil
}

// missingTable says which table is missing, as operations on tables do.
func missingTable(err error, name string) error {
	if e, ok := err.(*apiError); ok && e.code == "ResourceNotFoundException" {
		return notFound("Requested resource not found: Table: " + name + " not found")
	}
	return err
}

// deleteTable is DeleteTable. The table is gone at once.
func (s *Service) deleteTable(in tableNameInput) (any, error) {
	t, err := s.find(in.TableName)
	switch {
	case err != nil:
		return nil, missingTable(err, in.TableName)
	case t.protected:
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	case s.now().Before(t.ready):
		return nil, inUse("Attempt to change a resource which is still in use: Table is being created: %s", t.name)
	}
	s.disable(t)
	delete(s.tables, t.name)
	gone := s.describe(t)
	gone["TableStatus"] = "DELETING"
	return object{"TableDescription": gone}, nil
}

// listTables is ListTables.
func (s *Service) listTables(in struct {
	ExclusiveStartTableName string
	Limit                   *int
}) (any, error) {
	limit := 100
	if in.Limit != nil {
		if limit = *in.Limit; limit < 1 || limit > 100 {
			return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100", limit)
		}
	}
	names := sortedNames(s.tables)
	at, exact := slices.BinarySearch(names, in.ExclusiveStartTableName)
	if exact {
		at++
	}
	names = names[at:]
	if len(names) <= limit {
		return object{"TableNames": names}, nil
	}
	return object{"TableNames": names[:limit], "LastEvaluatedTableName": names[limit-1]}, nil
}
