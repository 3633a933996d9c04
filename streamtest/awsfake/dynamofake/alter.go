package dynamofake

import "slices"

type updateTableInput struct {
	TableName                   string
	AttributeDefinitions        []attributeDefinition
	BillingMode                 string
	ProvisionedThroughput       *throughput
	StreamSpecification         *streamSpecification
	DeletionProtectionEnabled   *bool
	GlobalSecondaryIndexUpdates []struct {
		Create *indexDefinition
		Delete *struct{ IndexName string }
	}
}

// updateTable is UpdateTable. Changes take effect at once, except that a new
// index is CREATING for as long as [Service.CreationTakes] says.
func (s *Service) updateTable(in updateTableInput) (any, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, missingTable(err, in.TableName)
	}
	if s.now().Before(t.ready) {
		return nil, inUse("Attempt to change a resource which is still in use: Table is being created: %s", t.name)
	}
	for _, d := range in.AttributeDefinitions {
		if old, ok := t.defined[d.AttributeName]; ok && old != d.AttributeType {
			return nil, invalid("One or more parameter values were invalid: the type of attribute %s cannot change", d.AttributeName)
		}
		t.defined[d.AttributeName] = d.AttributeType
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		switch {
		case u.Create != nil:
			x, err := t.newIndex(*u.Create, s.now().Add(s.creation))
			if err != nil {
				return nil, err
			}
			t.indexes = append(t.indexes, x)
		case u.Delete != nil:
			if t.index(u.Delete.IndexName) == nil {
				return nil, notFound("Requested resource not found: index " + u.Delete.IndexName)
			}
			t.indexes = slices.DeleteFunc(t.indexes, func(x *index) bool { return x.name == u.Delete.IndexName })
		}
	}
	if in.BillingMode != "" {
		if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
			return nil, err
		}
		t.billing, t.throughput = in.BillingMode, in.ProvisionedThroughput
	}
	if in.StreamSpecification != nil {
		if err := s.respecify(t, *in.StreamSpecification); err != nil {
			return nil, err
		}
	}
	if in.DeletionProtectionEnabled != nil {
		t.protected = *in.DeletionProtectionEnabled
	}
	return object{"TableDescription": s.describe(t)}, nil
}

// describe is the description of a table as it is now.
func (s *Service) describe(t *table) object {
	now := s.now()
	bytes := 0
	for _, r := range t.order {
		bytes += r.item.size()
	}
	definitions := []attributeDefinition{}
	for _, name := range sortedNames(t.defined) {
		definitions = append(definitions, attributeDefinition{name, t.defined[name]})
	}
	units := throughput{}
	if t.throughput != nil {
		units = *t.throughput
	}
	d := object{
		"TableName": t.name, "TableArn": arnPrefix + t.name, "TableId": t.id,
		"TableStatus": status(now.Before(t.ready)), "CreationDateTime": float64(t.created.UnixMilli()) / 1000,
		"KeySchema": t.schema.elements(), "AttributeDefinitions": definitions,
		"ItemCount": len(t.order), "TableSizeBytes": bytes,
		"ProvisionedThroughput": units, "DeletionProtectionEnabled": t.protected,
	}
	if t.billing == "PAY_PER_REQUEST" {
		d["BillingModeSummary"] = object{"BillingMode": t.billing}
	}
	if t.stream != nil {
		d["StreamSpecification"] = t.stream
	}
	if t.latest != nil {
		d["LatestStreamArn"], d["LatestStreamLabel"] = t.latest.arn(), t.latest.label
	}
	var indexes []object
	for _, x := range t.indexes {
		projection := object{"ProjectionType": x.projection}
		if x.projection == "INCLUDE" {
			projection["NonKeyAttributes"] = x.include
		}
		indexes = append(indexes, object{
			"IndexName": x.name, "IndexArn": arnPrefix + t.name + "/index/" + x.name,
			"IndexStatus": status(now.Before(x.ready)), "KeySchema": x.schema.elements(), "Projection": projection,
		})
	}
	if indexes != nil {
		d["GlobalSecondaryIndexes"] = indexes
	}
	return d
}

func status(creating bool) string {
	if creating {
		return "CREATING"
	}
	return "ACTIVE"
}

func (k schema) elements() []keySchemaElement {
	elements := []keySchemaElement{{k.hash, "HASH"}}
	if k.sort != "" {
		elements = append(elements, keySchemaElement{k.sort, "RANGE"})
	}
	return elements
}

// describeTimeToLive is DescribeTimeToLive.
func (s *Service) describeTimeToLive(in tableNameInput) (any, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, missingTable(err, in.TableName)
	}
	if t.ttl == "" {
		return object{"TimeToLiveDescription": object{"TimeToLiveStatus": "DISABLED"}}, nil
	}
	return object{"TimeToLiveDescription": object{"TimeToLiveStatus": "ENABLED", "AttributeName": t.ttl}}, nil
}

// updateTimeToLive is UpdateTimeToLive. It records the attribute; nothing is
// ever deleted by it.
func (s *Service) updateTimeToLive(in struct {
	TableName               string
	TimeToLiveSpecification struct {
		AttributeName string
		Enabled       bool
	}
}) (any, error) {
	t, err := s.active(in.TableName)
	if err != nil {
		return nil, missingTable(err, in.TableName)
	}
	want := in.TimeToLiveSpecification
	switch {
	case want.AttributeName == "":
		return nil, invalid("1 validation error detected: Value at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case want.Enabled && t.ttl != "":
		return nil, invalid("TimeToLive is already enabled")
	case !want.Enabled && t.ttl == "":
		return nil, invalid("TimeToLive is already disabled")
	case !want.Enabled && t.ttl != want.AttributeName:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.ttl)
	case want.Enabled:
		t.ttl = want.AttributeName
	default:
		t.ttl = ""
	}
	return object{"TimeToLiveSpecification": want}, nil
}

// tagResource is TagResource.
func (s *Service) tagResource(in struct {
	ResourceArn string
	Tags        []tag
}) (any, error) {
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, pair := range in.Tags {
		t.tags[pair.Key] = pair.Value
	}
	return object{}, nil
}

// listTags is ListTagsOfResource.
func (s *Service) listTags(in struct {
	ResourceArn string
	NextToken   string
}) (any, error) {
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, key := range sortedNames(t.tags) {
		tags = append(tags, tag{key, t.tags[key]})
	}
	return object{"Tags": tags}, nil
}
