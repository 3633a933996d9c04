package dynamocheckpoint

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// layout is what a table must look like.
type layout struct {
	name, key string
	byOwner   bool // with KCL's index by owner
}

// layouts are the two tables.
func (t *Table) layouts() []layout {
	return []layout{
		{name: t.leases, key: "leaseKey", byOwner: true},
		{name: t.sessions, key: "id"},
	}
}

// inWords tells somebody who creates the table by hand what it needs.
func (l layout) inWords() string {
	s := fmt.Sprintf("partition key %s of type string, no sort key, billed by request", l.key)
	if l.byOwner {
		s += ", global secondary index " + ownerIndex + " on leaseOwner and leaseKey, keys only"
	}
	return s
}

// creation is the request that creates the table.
func (l layout) creation(tags map[string]string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:            &l.name,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &l.key, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &l.key, KeyType: types.KeyTypeHash}},
	}
	for name, value := range tags {
		in.Tags = append(in.Tags, types.Tag{Key: &name, Value: &value})
	}
	if l.byOwner {
		index, owner := ownerIndex, "leaseOwner"
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &owner, AttributeType: types.ScalarAttributeTypeS})
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: &index,
			KeySchema: []types.KeySchemaElement{
				{AttributeName: &owner, KeyType: types.KeyTypeHash},
				{AttributeName: &l.key, KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}
	}
	return in
}

// fits says why a table that is there cannot be used. A lease table without
// the index can: KCL 2 made none.
func (l layout) fits(table *types.TableDescription) error {
	isKey := func(e types.KeySchemaElement) bool {
		return e.AttributeName != nil && *e.AttributeName == l.key && e.KeyType == types.KeyTypeHash
	}
	isText := func(d types.AttributeDefinition) bool {
		return d.AttributeName != nil && *d.AttributeName == l.key && d.AttributeType == types.ScalarAttributeTypeS
	}
	if len(table.KeySchema) != 1 || !slices.ContainsFunc(table.KeySchema, isKey) || !slices.ContainsFunc(table.AttributeDefinitions, isText) {
		return fmt.Errorf("table %s is another kind of table: it needs a %s", l.name, l.inWords())
	}
	if len(table.Replicas) == 0 {
		return nil
	}
	if table.MultiRegionConsistency == types.MultiRegionConsistencyStrong {
		return fmt.Errorf("table %s is replicated over Regions with strong consistency, and such a table has no transactions", l.name)
	}
	return fmt.Errorf("table %s is replicated over Regions with eventual consistency: "+
		"a conditional write does not hold across Regions, so two workers could own one shard", l.name)
}
