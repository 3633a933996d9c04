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
	sort      string // the sort key, if it has one
	byOwner   bool   // with KCL's index by owner
}

// layouts are the two tables.
func (t *Table) layouts() []layout {
	return []layout{
		{name: t.leases, key: "leaseKey", byOwner: true},
		{name: t.sessions, key: "id"},
	}
}

// stateLayout is the table of what handlers keep beside a lease.
func (t *Table) stateLayout() layout { return layout{name: t.states, key: "leaseKey", sort: partKey} }

// parkedLayout is the table of records of parked keys.
func (t *Table) parkedLayout() layout { return layout{name: t.parked, key: placeKey, sort: partKey} }

// inWords tells somebody who creates the table by hand what it needs.
func (l layout) inWords() string {
	sort := "no sort key"
	if l.sort != "" {
		sort = fmt.Sprintf("sort key %s of type string", l.sort)
	}
	s := fmt.Sprintf("partition key %s of type string, %s, billed by request", l.key, sort)
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
	if l.sort != "" {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &l.sort, AttributeType: types.ScalarAttributeTypeS})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &l.sort, KeyType: types.KeyTypeRange})
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
	keys := map[string]types.KeyType{l.key: types.KeyTypeHash}
	if l.sort != "" {
		keys[l.sort] = types.KeyTypeRange
	}
	right := len(table.KeySchema) == len(keys)
	for name, kind := range keys {
		right = right && slices.ContainsFunc(table.KeySchema, func(e types.KeySchemaElement) bool {
			return e.AttributeName != nil && *e.AttributeName == name && e.KeyType == kind
		}) && slices.ContainsFunc(table.AttributeDefinitions, func(d types.AttributeDefinition) bool {
			return d.AttributeName != nil && *d.AttributeName == name && d.AttributeType == types.ScalarAttributeTypeS
		})
	}
	if !right {
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
