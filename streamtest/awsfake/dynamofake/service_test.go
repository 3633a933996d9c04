package dynamofake_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// clientOf is the SDK's client in front of a fake, without retries.
func clientOf(s *dynamofake.Service) *dynamodb.Client {
	a := awsfake.New()
	a.Handle("dynamodb", s)
	config := a.Config("tester")
	config.RetryMaxAttempts = 1
	return dynamodb.NewFromConfig(config)
}

func createLeases(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("leases"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("leaseKey"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("leaseKey"), AttributeType: types.ScalarAttributeTypeS}},
		Tags:                 []types.Tag{{Key: aws.String("app"), Value: aws.String("orders")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func s(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
func n(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

func TestSDKReadsTheOldItemOfARefusal(t *testing.T) {
	fake := dynamofake.New(time.Now)
	client := clientOf(fake)
	createLeases(t, client)
	old := dynamofake.Item{"leaseKey": dynamofake.S("shard-1"), "leaseCounter": dynamofake.N(7)}
	if err := fake.Put("leases", old); err != nil {
		t.Fatal(err)
	}
	take := types.Update{
		TableName: aws.String("leases"), Key: map[string]types.AttributeValue{"leaseKey": s("shard-1")},
		UpdateExpression: aws.String("SET leaseCounter = leaseCounter + :1"), ConditionExpression: aws.String("leaseCounter = :c"),
		ExpressionAttributeValues:           map[string]types.AttributeValue{":1": n("1"), ":c": n("6")},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: take.TableName, Key: take.Key, UpdateExpression: take.UpdateExpression, ConditionExpression: take.ConditionExpression,
		ExpressionAttributeValues: take.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: take.ReturnValuesOnConditionCheckFailure,
	})
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a ConditionalCheckFailedException", err)
	}
	counter, ok := refused.Item["leaseCounter"].(*types.AttributeValueMemberN)
	if !ok || counter.Value != "7" || refused.ErrorMessage() != "The conditional request failed" {
		t.Errorf("got item %v and message %q", refused.Item, refused.ErrorMessage())
	}

	_, err = client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("leases"), Item: map[string]types.AttributeValue{"leaseKey": s("shard-2")}}},
		{Update: &take},
	}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		t.Fatalf("got %v, want a TransactionCanceledException", err)
	}
	if got := len(cancelled.CancellationReasons); got != 2 {
		t.Fatalf("got %d reasons, want 2", got)
	}
	reason := cancelled.CancellationReasons[1]
	if aws.ToString(reason.Code) != "ConditionalCheckFailed" || len(reason.Item) != 2 || !strings.Contains(cancelled.ErrorMessage(), "[None, ConditionalCheckFailed]") {
		t.Errorf("got reason %v %v, message %q", aws.ToString(reason.Code), reason.Item, cancelled.ErrorMessage())
	}
	if _, ok := fake.Item("leases", dynamofake.Item{"leaseKey": dynamofake.S("shard-2")}); ok {
		t.Error("a part of a cancelled transaction took effect")
	}
}

func TestSDKRoundTripsEveryType(t *testing.T) {
	client := clientOf(dynamofake.New(time.Now))
	createLeases(t, client)
	item := map[string]types.AttributeValue{
		"leaseKey": s("a"), "text": s("quote \" and <b> \u00e9\n"), "number": n("-1.5"),
		"bytes": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}}, "yes": &types.AttributeValueMemberBOOL{Value: true},
		"null": &types.AttributeValueMemberNULL{Value: true}, "map": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"x": n("1")}},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{s("1"), n("1")}}, "texts": &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"numbers": &types.AttributeValueMemberNS{Value: []string{"9", "10"}}, "blobs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
	}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("leases"), Item: item}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("leases"), Key: map[string]types.AttributeValue{"leaseKey": s("a")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range item {
		if got := fmt.Sprintf("%+v", deref(out.Item[name])); got != fmt.Sprintf("%+v", deref(want)) {
			t.Errorf("%s: got %s, want %+v", name, got, deref(want))
		}
	}
}

// deref shows the content of an attribute instead of its address.
func deref(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		return fmt.Sprintf("%+v", deref(v.Value["x"]))
	case *types.AttributeValueMemberL:
		return fmt.Sprintf("%+v %+v", deref(v.Value[0]), deref(v.Value[1]))
	case *types.AttributeValueMemberS:
		return *v
	case *types.AttributeValueMemberN:
		return *v
	case *types.AttributeValueMemberB:
		return *v
	case *types.AttributeValueMemberBOOL:
		return *v
	case *types.AttributeValueMemberNULL:
		return *v
	case *types.AttributeValueMemberSS:
		return *v
	case *types.AttributeValueMemberNS:
		return *v
	case *types.AttributeValueMemberBS:
		return *v
	}
	return v
}

func TestTableIsCreatingForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := dynamofake.New(time.Now)
		fake.CreationTakes(5 * time.Second)
		client := clientOf(fake)
		createLeases(t, client)
		var missing *types.ResourceNotFoundException
		if _, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases")}); !errors.As(err, &missing) {
			t.Errorf("a table that is being created was scanned: %v", err)
		}
		began := time.Now()
		waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
		if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("leases")}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < 5*time.Second || waited > 10*time.Second {
			t.Errorf("the waiter waited %v, want at least 5s", waited)
		}
		if _, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases")}); err != nil {
			t.Error(err)
		}
	})
}

func TestStaleReadsSeeThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := dynamofake.New(time.Now)
		fake.Stale(time.Second)
		client := clientOf(fake)
		createLeases(t, client)
		read := func(consistent bool) (items int, counter string) {
			t.Helper()
			out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("leases"), ConsistentRead: &consistent, Key: map[string]types.AttributeValue{"leaseKey": s("a")}})
			if err != nil {
				t.Fatal(err)
			}
			if v, ok := out.Item["leaseCounter"].(*types.AttributeValueMemberN); ok {
				counter = v.Value
			}
			list, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases"), ConsistentRead: &consistent})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Items), counter
		}
		expect := func(when string, consistent bool, items int, counter string) {
			t.Helper()
			if gotItems, gotCounter := read(consistent); gotItems != items || gotCounter != counter {
				t.Errorf("%s: got %d items, counter %q; want %d, %q", when, gotItems, gotCounter, items, counter)
			}
		}
		put := func(counter int64) {
			t.Helper()
			if err := fake.Put("leases", dynamofake.Item{"leaseKey": dynamofake.S("a"), "leaseCounter": dynamofake.N(counter)}); err != nil {
				t.Fatal(err)
			}
		}
		put(1)
		expect("just written, stale", false, 0, "")
		expect("just written, consistent", true, 1, "1")
		time.Sleep(time.Second)
		put(2)
		expect("a second later, stale", false, 1, "1")
		expect("a second later, consistent", true, 1, "2")
		time.Sleep(time.Second)
		expect("two seconds later, stale", false, 1, "2")
		if err := fake.Delete("leases", dynamofake.Item{"leaseKey": dynamofake.S("a")}); err != nil {
			t.Fatal(err)
		}
		expect("deleted, stale", false, 1, "2")
		expect("deleted, consistent", true, 0, "")
		time.Sleep(time.Second)
		expect("deleted a second ago, stale", false, 0, "")
	})
}

func TestObserverSeesEveryEffectiveWriteInOrder(t *testing.T) {
	fake := dynamofake.New(time.Now)
	client := clientOf(fake)
	createLeases(t, client)
	var mu sync.Mutex
	var seen []string
	fake.OnWrite(func(table string, before, after dynamofake.Item) {
		now, _ := fake.Item(table, dynamofake.Item{"leaseKey": dynamofake.S("a")}) // it may read
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%v -> %v, now %v", before["n"], after["n"], now["n"]))
	})
	add := func(by string) {
		t.Helper()
		_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("leases"), Key: map[string]types.AttributeValue{"leaseKey": s("a")},
			UpdateExpression: aws.String("ADD n :by"), ExpressionAttributeValues: map[string]types.AttributeValue{":by": n(by)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("1")
	add("0") // changes nothing
	add("2")
	if err := fake.Delete("leases", dynamofake.Item{"leaseKey": dynamofake.S("a")}); err != nil {
		t.Fatal(err)
	}
	want := []string{"(none) -> 1, now 1", "1 -> 3, now 3", "3 -> (none), now (none)"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

func TestOneOfManyWinsAConditionalWrite(t *testing.T) {
	fake := dynamofake.New(time.Now)
	client := clientOf(fake)
	createLeases(t, client)
	const writers, rounds = 8, 20
	var wins sync.Map
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for round := range rounds {
				_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
					TableName: aws.String("leases"), Item: map[string]types.AttributeValue{"leaseKey": s(fmt.Sprint(round)), "owner": s(fmt.Sprint(w))},
					ConditionExpression: aws.String("attribute_not_exists(leaseKey)"),
				})
				var refused *types.ConditionalCheckFailedException
				switch {
				case err == nil:
					if other, twice := wins.LoadOrStore(round, w); twice {
						t.Errorf("round %d was won by %v and %d", round, other, w)
					}
				case !errors.As(err, &refused):
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(fake.Items("leases")); got != rounds {
		t.Errorf("%d rows, want %d", got, rounds)
	}
}

func TestTransactionTokenLivesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := dynamofake.New(time.Now)
		client := clientOf(fake)
		createLeases(t, client)
		add := func() {
			t.Helper()
			_, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				ClientRequestToken: aws.String("once"),
				TransactItems: []types.TransactWriteItem{{Update: &types.Update{
					TableName: aws.String("leases"), Key: map[string]types.AttributeValue{"leaseKey": s("a")},
					UpdateExpression: aws.String("ADD n :1, #o :1, o2 :1"), ExpressionAttributeNames: map[string]string{"#o": "o"},
					ExpressionAttributeValues: map[string]types.AttributeValue{":1": n("1")},
				}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		expect := func(when string, want int64) {
			t.Helper()
			it, _ := fake.Item("leases", dynamofake.Item{"leaseKey": dynamofake.S("a")})
			if got := it["n"].Int(); got != want {
				t.Errorf("%s: n is %d, want %d", when, got, want)
			}
		}
		add()
		time.Sleep(9 * time.Minute)
		add()
		expect("within ten minutes", 1)
		time.Sleep(2 * time.Minute)
		add()
		expect("after ten minutes", 2)
	})
}

func TestCapacityIsCountedAsItIsBilled(t *testing.T) {
	fake := dynamofake.New(time.Now)
	b := bench{t, backendOf(fake), "paid"}
	b.must("CreateTable", withSort)
	spent := func(what string, reads, writes float64, f func()) {
		t.Helper()
		r0, w0 := fake.Consumed("paid")
		f()
		r, w := fake.Consumed("paid")
		if r-r0 != reads || w-w0 != writes {
			t.Errorf("%s cost %v reads and %v writes, want %v and %v", what, r-r0, w-w0, reads, writes)
		}
	}
	key := `{"p":{"S":"a"},"s":{"N":"1"}}`
	large := strings.Repeat("x", 5000)
	spent("a small put", 0, 1, func() { b.must("PutItem", `{"TableName":"T","Item":`+key+`}`) })
	spent("a put into table and index", 0, 2, func() { b.must("PutItem", `{"TableName":"T","Item":{"p":{"S":"a"},"s":{"N":"2"},"g":{"S":"g"}}}`) })
	spent("a move within the index", 0, 3, func() { b.must("PutItem", `{"TableName":"T","Item":{"p":{"S":"a"},"s":{"N":"2"},"g":{"S":"h"}}}`) })
	spent("an update that the index does not see", 0, 1, func() {
		b.must("UpdateItem", `{"TableName":"T","Key":{"p":{"S":"a"},"s":{"N":"2"}},"UpdateExpression":"ADD n :1","ExpressionAttributeValues":{":1":{"N":"1"}}}`)
	})
	spent("a refused write", 0, 1, func() {
		b.want("DeleteItem", `{"TableName":"T","Key":`+key+`,"ConditionExpression":"attribute_exists(n)"}`, "ConditionalCheckFailedException")
	})
	spent("a transaction", 0, 2, func() {
		b.must("TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"T","Item":`+key+`}}]}`)
	})
	spent("a strong read of 5 kB", 2, 5, func() {
		b.must("PutItem", `{"TableName":"T","Item":{"p":{"S":"b"},"s":{"N":"1"},"x":{"S":"`+large+`"}}}`)
		b.must("GetItem", `{"TableName":"T","ConsistentRead":true,"Key":{"p":{"S":"b"},"s":{"N":"1"}}}`)
	})
	spent("an eventual read of nothing", 0.5, 0, func() { b.must("GetItem", `{"TableName":"T","Key":{"p":{"S":"z"},"s":{"N":"1"}}}`) })
	spent("a scan", 1, 0, func() { b.must("Scan", `{"TableName":"T"}`) })
}

func TestUnknownParametersAreRefused(t *testing.T) {
	b := benchOf(t, fresh(), hashOnly)
	b.want("PutItem", `{"TableName":"T","Item":{"id":{"S":"a"}},"Expected":{}}`, "ValidationException")
	b.want("TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"T","Item":{"id":{"S":"a"}},"Whim":1}}]}`, "ValidationException")
	b.want("ExecuteStatement", `{}`, "UnknownOperationException")
	b.want("PutItem", `{"TableName":`, "SerializationException")
	b.want("GetItem", `{"TableName":"T","Key":{"id":{"S":"a"}}}`, "{}")
}

func TestIndexIsAddedToATable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := dynamofake.New(time.Now)
		b := bench{t, backendOf(fake), "grown"}
		b.must("CreateTable", hashOnly)
		b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"a"},"g":{"S":"x"}}}`)
		fake.CreationTakes(time.Minute)
		b.must("UpdateTable", `{"TableName":"T","AttributeDefinitions":[{"AttributeName":"g","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[
			{"Create":{"IndexName":"byG","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}]}`)
		const query = `{"TableName":"T","IndexName":"byG","Select":"COUNT","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"x"}}}`
		b.want("Query", query, "ValidationException")
		time.Sleep(time.Minute)
		b.want("Query", query, `{"Count":1,"ScannedCount":1}`)
		b.want("UpdateItem", `{"TableName":"T","Key":{"id":{"S":"a"}},"UpdateExpression":"SET g = :1","ExpressionAttributeValues":{":1":{"N":"1"}}}`, "ValidationException")
	})
}

func backendOf(s *dynamofake.Service) backend { return fake{s} }
