package tablefake

import (
	"slices"
)

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct {
	AttributeName string
	AttributeType Kind
}

type projection struct {
	ProjectionType   string   `json:",omitempty"`
	NonKeyAttributes []string `json:",omitempty"`
}

type createIndex struct {
	IndexName  string
	KeySchema  []keyElement
	Projection projection
}

type createTableInput struct {
	TableName              string
	AttributeDefinitions   []attributeDefinition
	KeySchema              []keyElement
	BillingMode            string
	GlobalSecondaryIndexes []createIndex
	Tags                   []tag
}

type tableOutput struct {
	TableDescription tableDescription
}

type describeOutput struct {
	Table tableDescription
}

type tableDescription struct {
	TableName              string
	TableArn               string
	TableStatus            string
	CreationDateTime       float64
	ItemCount              int
	AttributeDefinitions   []attributeDefinition
	KeySchema              []keyElement
	BillingModeSummary     map[string]string
	GlobalSecondaryIndexes []indexDescription `json:",omitempty"`
}

type indexDescription struct {
	IndexName   string
	IndexStatus string
	KeySchema   []keyElement
	Projection  projection
}

type tableInput struct{ TableName string }

func (s *Service) createTable(in createTableInput) (tableOutput, error) {
	return locked(s, func() (tableOutput, error) {
		if in.TableName == "" {
			return tableOutput{}, invalid("TableName must be at least 3 characters long")
		}
		if s.tables[in.TableName] != nil {
			return tableOutput{}, refusal("ResourceInUseException", "Table already exists: %s", in.TableName)
		}
		t := &table{name: in.TableName, created: s.now(), types: map[string]Kind{}, rows: map[string]Item{}, tags: in.Tags}
		for _, a := range in.AttributeDefinitions {
			t.types[a.AttributeName] = a.AttributeType
		}
		var err error
		if t.schema, err = t.schemaOf(in.KeySchema); err != nil {
			return tableOutput{}, err
		}
		for _, x := range in.GlobalSecondaryIndexes {
			keys, err := t.schemaOf(x.KeySchema)
			if err != nil {
				return tableOutput{}, err
			}
			t.indexes = append(t.indexes, index{x.IndexName, keys, x.Projection.ProjectionType, x.Projection.NonKeyAttributes})
		}
		s.tables[in.TableName] = t
		return tableOutput{t.description()}, nil
	})
}

// schemaOf reads a key, whose attributes must have been defined.
func (t *table) schemaOf(elements []keyElement) (schema, error) {
	var k schema
	for _, e := range elements {
		if _, ok := t.types[e.AttributeName]; !ok {
			return k, invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]", e.AttributeName)
		}
		if e.KeyType == "HASH" {
			k.hash = e.AttributeName
		} else {
			k.sort = e.AttributeName
		}
	}
	if k.hash == "" {
		return k, invalid("One or more parameter values were invalid: No Hash Key specified in schema")
	}
	return k, nil
}

func (s *Service) describeTable(in tableInput) (describeOutput, error) {
	return locked(s, func() (describeOutput, error) {
		t, err := s.find(in.TableName)
		if err != nil {
			return describeOutput{}, err
		}
		return describeOutput{t.description()}, nil
	})
}

func (s *Service) deleteTable(in tableInput) (tableOutput, error) {
	return locked(s, func() (tableOutput, error) {
		t, err := s.find(in.TableName)
		if err != nil {
			return tableOutput{}, err
		}
		delete(s.tables, in.TableName)
		return tableOutput{t.description()}, nil
	})
}

type listTablesOutput struct{ TableNames []string }

func (s *Service) listTables(nothing) (listTablesOutput, error) {
	return listTablesOutput{TableNames: s.Tables()}, nil
}

func (t *table) description() tableDescription {
	d := tableDescription{
		TableName: t.name, TableArn: "arn:aws:dynamodb:us-east-1:000000000000:table/" + t.name, TableStatus: "ACTIVE",
		CreationDateTime: float64(t.created.UnixMilli()) / 1000, ItemCount: len(t.rows),
		KeySchema: t.schema.elements(), BillingModeSummary: map[string]string{"BillingMode": "PAY_PER_REQUEST"},
	}
	for name, kind := range t.types {
		d.AttributeDefinitions = append(d.AttributeDefinitions, attributeDefinition{name, kind})
	}
	slices.SortFunc(d.AttributeDefinitions, func(a, b attributeDefinition) int { return compareText(a.AttributeName, b.AttributeName) })
	for _, x := range t.indexes {
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, indexDescription{
			x.name, "ACTIVE", x.schema.elements(), projection{x.project, x.include},
		})
	}
	return d
}

func (s schema) elements() []keyElement {
	elements := []keyElement{{s.hash, "HASH"}}
	if s.sort != "" {
		elements = append(elements, keyElement{s.sort, "RANGE"})
	}
	return elements
}
