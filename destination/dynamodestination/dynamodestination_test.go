package dynamodestination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/dynamodestination"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// world is a table of a DynamoDB of its own.
type world struct {
	*awsfake.AWS
	client *dynamodb.Client
	mu     sync.Mutex
	wrote  []dynamofake.Item // in the order of acceptance, repeats left out
}

func newWorld(t testing.TB) *world {
	t.Helper()
	a := awsfake.New()
	w := &world{AWS: a, client: dynamodb.NewFromConfig(a.Config("test"))}
	if err := makeTable(w.client, "orders"); err != nil {
		t.Fatal(err)
	}
	a.DynamoDB().OnWrite(func(_ string, before, after dynamofake.Item) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if before == nil {
			w.wrote = append(w.wrote, after)
		}
	})
	return w
}

func makeTable(client *dynamodb.Client, name string) error {
	_, err := client.CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	return err
}

func (w *world) open(options ...func(*dynamodestination.Options)) *dynamodestination.Table {
	return dynamodestination.Open(w.client, "orders", options...)
}

func (w *world) items() []dynamofake.Item {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]dynamofake.Item(nil), w.wrote...)
}

// word reads a string or bytes of an item.
func word(it dynamofake.Item, name string) string { return it[name].Text() }

func refuseAll(w *world) func() {
	return w.DynamoDB().RefuseSome(func(string, dynamofake.Item) bool { return true })
}

// besideFailure is what the item of a sample counts beside its envelope.
func besideFailure() int {
	f := destinationtest.Sample(1)
	n := len("id") + len(f.DeduplicationID()) + len("body")
	for _, a := range f.Attributes() {
		n += len(a.Name) + len(a.Value)
	}
	return n
}

func rig(t *testing.T, options ...func(*dynamodestination.Options)) destinationtest.Rig {
	w := newWorld(t)
	return destinationtest.Rig{
		Destination: w.open(options...),
		MaxBytes:    destination.MaxDynamoDBBytes - besideFailure(),
		Once:        true,
		Accepted: func(*testing.T) (all []destinationtest.Accepted) {
			for _, it := range w.items() {
				all = append(all, destinationtest.Accepted{ID: word(it, "id"), Body: []byte(word(it, "body"))})
			}
			return all
		},
		Refuse: func(*testing.T) func() { return refuseAll(w) },
	}
}

// size counts an item of strings, bytes and maps of them as DynamoDB does.
func size(it dynamofake.Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + len(v.Text())
		if v.Kind() == dynamofake.KindMap {
			n += 3 + len(v.Map()) + size(v.Map())
		}
	}
	return n
}

func publisherRig(t *testing.T, options ...func(*dynamodestination.Options)) destinationtest.PublisherRig {
	w := newWorld(t)
	var mu sync.Mutex
	var calls []destinationtest.Call
	w.Trace(func(e awsfake.Exchange) {
		var in struct{ RequestItems map[string][]json.RawMessage }
		if json.Unmarshal(e.Body, &in) != nil || in.RequestItems == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, destinationtest.Call{Records: len(in.RequestItems["orders"])})
	})
	return destinationtest.PublisherRig{
		Publisher:  w.open(options...),
		MaxBytes:   destination.MaxDynamoDBBytes,
		BatchLimit: 25,
		Attributed: true,
		Once:       true,
		Calls: func(*testing.T) []destinationtest.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		},
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, it := range w.items() {
				p := destinationtest.Unwrap(t, destination.FormBytes, []byte(word(it, "body")), nil)
				if p.ID == "" { // its payload as it is
					p = destinationtest.Published{ID: word(it, "id"), Key: word(it, "key"), Data: []byte(word(it, "body"))}
					for name, v := range it["attributes"].Map() {
						if p.Attributes == nil {
							p.Attributes = map[string]string{}
						}
						p.Attributes[name] = v.Text()
					}
				}
				p.Bytes = size(it)
				all = append(all, p)
			}
			return all
		},
		RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() {
			return w.DynamoDB().RefuseSome(func(_ string, it dynamofake.Item) bool { return refuse([]byte(word(it, "body"))) })
		},
		Refuse: func(*testing.T) func() {
			return w.Intercept(func(context.Context, awsfake.Call) awsfake.Fault {
				return awsfake.Fail("ResourceNotFoundException", 400)
			})
		},
	}
}

func TestTableIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig { return rig(t) })
}

func TestLargePayloadsGoToAStore(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		s := &destinationtest.Shelf{}
		r := rig(t, func(o *dynamodestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		s := &destinationtest.Shelf{}
		r := publisherRig(t, func(o *dynamodestination.Options) { o.Store = s })
		r.Load = s.Load
		return r
	})
}

func TestTableIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig { return publisherRig(t) })
	t.Run("Unordered", func(t *testing.T) {
		destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
			r := publisherRig(t, func(o *dynamodestination.Options) { o.Unordered = true })
			r.Free = true
			return r
		})
	})
}

// A handler's records make items of the user's own design. One that can not be
// made is refused, and what follows of its key waits.
func TestItemsMayBeOfTheUsersDesign(t *testing.T) {
	w := newWorld(t)
	table := w.open(func(o *dynamodestination.Options) {
		o.Item = func(e *batching.Emitted) (map[string]types.AttributeValue, error) {
			if _, err := strconv.Atoi(string(e.Data)); err != nil {
				return nil, errors.New("no number")
			}
			return map[string]types.AttributeValue{
				"id": &types.AttributeValueMemberS{Value: e.Key}, "total": &types.AttributeValueMemberN{Value: string(e.Data)},
			}, nil
		}
	})
	emit := func(key, data string) batching.Emitted {
		return batching.Emitted{ID: key + data, Key: key, Data: []byte(data)}
	}
	err := table.Publish(t.Context(), []batching.Emitted{emit("ada", "1"), emit("bob", "x"), emit("ada", "2"), emit("bob", "3")})
	var rest *destination.PublishError
	if !errors.As(err, &rest) || len(rest.Rest) != 2 || string(rest.Rest[0].Data) != "x" || !strings.Contains(err.Error(), "no number") {
		t.Fatalf("error %v, want the two of bob left", err)
	}
	it, ok := w.DynamoDB().Item("orders", dynamofake.Item{"id": dynamofake.S("ada")})
	if !ok || it["total"].Int() != 2 || len(w.DynamoDB().Items("orders")) != 1 {
		t.Errorf("the table holds %v, want ada's last total alone", w.DynamoDB().Items("orders"))
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDeniedException":     "the role needs dynamodb:BatchWriteItem",
		"ResourceNotFoundException": "there is no such table",
		"ValidationException":       "compare the table's key with PartitionKey",
	} {
		w := newWorld(t)
		w.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail(code, 400) })
		for _, err := range []error{w.open().Send(t.Context(), destinationtest.Sample(1)), w.open().Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "orders") {
				t.Errorf("error %v, want it to say %q and to name the table", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	table := dynamodestination.Open(nil, "arn:aws:s3:::orders", func(o *dynamodestination.Options) { o.MaxBytes, o.PartitionKey = 500_000, "body" })
	err := table.Validate()
	for _, want := range []string{
		"the client is nil", `the table is "arn:aws:s3:::orders", want its name or its ARN, arn:aws:dynamodb:`,
		"MaxBytes is 500000, want 1 to 409600", `PartitionKey is "body"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := table.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := table.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
	client := dynamodb.New(dynamodb.Options{})
	for _, name := range []string{"", "ab", "a b c", strings.Repeat("x", 256), "arn:aws:dynamodb:eu-west-1:1:table/"} {
		if dynamodestination.Open(client, name).Validate() == nil {
			t.Errorf("%q is valid", name)
		}
	}
	for _, name := range []string{"orders", "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders"} {
		if err := dynamodestination.Open(client, name).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOpen() {
	fake := awsfake.New() // in production: dynamodb.NewFromConfig(cfg)
	client := dynamodb.NewFromConfig(fake.Config("worker-1"))
	if err := makeTable(client, "failed"); err != nil {
		fmt.Println(err)
		return
	}
	// Set as OnFailure of a consumer. Here a failure is sent by hand, twice.
	onFailure := dynamodestination.Open(client, "failed")
	for range 2 {
		if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
			fmt.Println(err)
		}
	}
	for _, it := range fake.DynamoDB().Items("failed") {
		e, err := destination.ParseEnvelope([]byte(word(it, "body")))
		fmt.Println(word(it, "condition"), "of", len(e.Failure.Records), "records", err)
	}
	// Output: RetryAttemptsExhausted of 2 records <nil>
}
