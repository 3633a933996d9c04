package dynamofake_test

import (
	"fmt"
	"strings"
)

func probeTransactions(b bench) {
	put := func(id string) string { return fmt.Sprintf(`{"Put":{"TableName":"T","Item":{"id":{"S":"%s"}}}}`, id) }
	check := func(id, condition string) string {
		return fmt.Sprintf(`{"ConditionCheck":{"TableName":"T","Key":{"id":{"S":"%s"}},"ConditionExpression":"%s","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}`, id, condition)
	}
	write := func(token string, items ...string) string {
		return b.send("TransactWriteItems", fmt.Sprintf(`{"ClientRequestToken":"%s-%s","TransactItems":[%s]}`, b.table[2:], token, strings.Join(items, ",")))
	}
	expect := func(what, got, want string) {
		b.Helper()
		if got != want {
			b.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	expect("two puts", write("1", put("a"), put("b"), check("c", "attribute_not_exists(id)")), "{}")
	expect("a check fails", write("2", put("d"), check("a", "attribute_not_exists(id)")),
		`TransactionCanceledException [{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"id":{"S":"a"}}}]`)
	b.want("GetItem", `{"TableName":"T","ConsistentRead":true,"Key":{"id":{"S":"d"}}}`, "{}")
	expect("one item twice", write("3", put("e"), put("e")), "ValidationException")
	expect("no item", write("4"), "ValidationException")
	add := `{"Update":{"TableName":"T","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :1","ExpressionAttributeValues":{":1":{"N":"1"}}}}`
	expect("add", write("5", add), "{}")
	expect("add again by the same token", write("5", add), "{}")
	expect("the token for something else", write("5", put("x")), "IdempotentParameterMismatchException")
	b.want("GetItem", `{"TableName":"T","ConsistentRead":true,"Key":{"id":{"S":"a"}}}`, `{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}`)
	expect("a refused token may be used again", write("2", put("d")), "{}")
	gone := `{"Delete":{"TableName":"T","Key":{"id":{"S":"d"}},"ConditionExpression":"attribute_exists(id)"}}`
	expect("delete", write("6", gone, put("f")), "{}")
	b.want("TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"T","Key":{"id":{"S":"d"}}}},{"Get":{"TableName":"T","Key":{"id":{"S":"a"}},"ProjectionExpression":"n"}}]}`,
		`{"Responses":[{},{"Item":{"n":{"N":"1"}}}]}`)
	many := make([]string, 101)
	for i := range many {
		many[i] = put(fmt.Sprint("m", i))
	}
	expect("100 items", write("7", many[:100]...), "{}")
	expect("101 items", write("8", many...), "ValidationException")
}

func probeQueries(b bench) {
	for s := range 10 {
		g := ""
		if s%2 == 0 {
			g = `,"g":{"S":"even"}`
		}
		b.must("PutItem", fmt.Sprintf(`{"TableName":"T","Item":{"p":{"S":"a"},"s":{"N":"%d"},"f":{"N":"%d"}%s}}`, s, s%3, g))
	}
	b.must("PutItem", `{"TableName":"T","Item":{"p":{"S":"b"},"s":{"N":"0"},"g":{"S":"even"}}}`)
	query := func(more, values string) string {
		return b.send("Query", `{"TableName":"T","ProjectionExpression":"s","ExpressionAttributeValues":{":a":{"S":"a"}`+values+`}`+more+`}`)
	}
	expect := func(what, got string, want string) {
		b.Helper()
		if got != want {
			b.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
	items := func(scanned int, ns ...int) string {
		parts := make([]string, len(ns))
		for i, n := range ns {
			parts[i] = fmt.Sprintf(`{"s":{"N":"%d"}}`, n)
		}
		return fmt.Sprintf(`{"Count":%d,"Items":[%s],"ScannedCount":%d}`, len(ns), strings.Join(parts, ","), scanned)
	}
	two, five := `,":2":{"N":"2"}`, `,":2":{"N":"2"},":5":{"N":"5"}`
	expect("partition", query(`,"KeyConditionExpression":"p = :a"`, ""), items(10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	expect("below", query(`,"KeyConditionExpression":"p = :a AND s < :2"`, two), items(2, 0, 1))
	expect("turned", query(`,"KeyConditionExpression":"(p = :a) AND (:2 >= s)"`, two), items(3, 0, 1, 2))
	expect("between", query(`,"KeyConditionExpression":"s BETWEEN :2 AND :5 AND p = :a"`, five), items(4, 2, 3, 4, 5))
	expect("backwards", query(`,"KeyConditionExpression":"p = :a AND s >= :2","ScanIndexForward":false`, two), items(8, 9, 8, 7, 6, 5, 4, 3, 2))
	expect("filter", query(`,"KeyConditionExpression":"p = :a","FilterExpression":"f = :2"`, two), items(10, 2, 5, 8))
	expect("filter by key", query(`,"KeyConditionExpression":"p = :a","FilterExpression":"s = :2"`, two), "ValidationException")
	expect("limit", query(`,"KeyConditionExpression":"p = :a","Limit":2`, ""),
		`{"Count":2,"Items":[{"s":{"N":"0"}},{"s":{"N":"1"}}],"LastEvaluatedKey":{"p":{"S":"a"},"s":{"N":"1"}},"ScannedCount":2}`)
	expect("next page", query(`,"KeyConditionExpression":"p = :a AND s < :5","ExclusiveStartKey":{"p":{"S":"a"},"s":{"N":"1"}}`, `,":5":{"N":"5"}`), items(3, 2, 3, 4))
	expect("page before", query(`,"KeyConditionExpression":"p = :a","ScanIndexForward":false,"ExclusiveStartKey":{"p":{"S":"a"},"s":{"N":"3"}}`, ""), items(3, 2, 1, 0))
	for _, bad := range []string{"s = :2", "p > :2", "p = :2", "p = :a OR s = :2", "p = :a AND s <> :2", "p = :a AND f = :2", "NOT p = :2", "p = :a AND s = :2 AND s = :2", "p = :a AND p = :a AND s = :2", "contains(p, :2)"} {
		expect(bad, query(`,"KeyConditionExpression":"`+bad+`"`, map[bool]string{true: two}[strings.Contains(bad, ":2")]), "ValidationException")
	}
	const even = `{"TableName":"T","IndexName":"byG","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"even"}}`
	b.want("Query", even+`,"Select":"COUNT"}`, `{"Count":6,"ScannedCount":6}`)
	b.want("Query", even+`,"ConsistentRead":true}`, "ValidationException")
	b.want("Query", even+`,"Limit":1,"ScanIndexForward":false}`, `{"Count":1,"Items":[{"g":{"S":"even"},"p":{"S":"a"},"s":{"N":"8"}}],"LastEvaluatedKey":{"g":{"S":"even"},"p":{"S":"a"},"s":{"N":"8"}},"ScannedCount":1}`)
	b.want("Query", even+`,"ScanIndexForward":false,"ExclusiveStartKey":{"g":{"S":"even"},"p":{"S":"a"},"s":{"N":"8"}},"Limit":1,"ProjectionExpression":"s"}`,
		`{"Count":1,"Items":[{"s":{"N":"6"}}],"LastEvaluatedKey":{"g":{"S":"even"},"p":{"S":"a"},"s":{"N":"6"}},"ScannedCount":1}`)
	b.want("Query", even+`,"Select":"ALL_ATTRIBUTES"}`, "ValidationException")
	b.want("Query", `{"TableName":"T","IndexName":"nix","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"even"}}}`, "ValidationException")
	b.want("PutItem", `{"TableName":"T","Item":{"p":{"S":"a"},"s":{"N":"0"},"g":{"N":"1"}}}`, "ValidationException")
	b.want("PutItem", `{"TableName":"T","Item":{"p":{"S":"a"},"s":{"N":"0"},"g":{"S":""}}}`, "ValidationException")
	probeScans(b)
}

func probeScans(b bench) {
	b.want("Scan", `{"TableName":"T","Select":"COUNT","FilterExpression":"f = :2","ExpressionAttributeValues":{":2":{"N":"2"}}}`, `{"Count":3,"ScannedCount":11}`)
	b.want("Scan", `{"TableName":"T","IndexName":"byG","Select":"COUNT"}`, `{"Count":6,"ScannedCount":6}`)
	seen := 0
	for segment := range 3 {
		var count, scanned int
		out := b.must("Scan", fmt.Sprintf(`{"TableName":"T","Select":"COUNT","TotalSegments":3,"Segment":%d}`, segment))
		if _, err := fmt.Sscanf(out, `{"Count":%d,"ScannedCount":%d}`, &count, &scanned); err != nil {
			b.Fatal(err)
		}
		seen += count
	}
	if seen != 11 {
		b.Errorf("three segments have %d items together, want 11", seen)
	}
	b.want("Scan", `{"TableName":"T","TotalSegments":3,"Segment":3}`, "ValidationException")
	b.want("Scan", `{"TableName":"T","Segment":3}`, "ValidationException")
	b.want("Scan", `{"TableName":"T","Limit":0}`, "ValidationException")
	// Large items end a page at 1 MB.
	large := strings.Repeat("x", 300<<10)
	for s := range 6 {
		b.must("PutItem", fmt.Sprintf(`{"TableName":"T","Item":{"p":{"S":"large"},"s":{"N":"%d"},"x":{"S":"%s"}}}`, s, large))
	}
	const largeOnly = `{"TableName":"T","Select":"COUNT","KeyConditionExpression":"p = :p","ExpressionAttributeValues":{":p":{"S":"large"}}`
	b.want("Query", largeOnly+`}`, `{"Count":4,"LastEvaluatedKey":{"p":{"S":"large"},"s":{"N":"3"}},"ScannedCount":4}`)
	b.want("Query", largeOnly+`,"ExclusiveStartKey":{"p":{"S":"large"},"s":{"N":"3"}}}`, `{"Count":2,"ScannedCount":2}`)
}

func probeBatches(b bench) {
	b.want("BatchWriteItem", `{"RequestItems":{"T":[{"PutRequest":{"Item":{"p":{"S":"a"},"s":{"N":"1"}}}},{"PutRequest":{"Item":{"p":{"S":"a"},"s":{"N":"2"}}}}]}}`, `{"UnprocessedItems":{}}`)
	b.want("BatchWriteItem", `{"RequestItems":{"T":[{"PutRequest":{"Item":{"p":{"S":"a"},"s":{"N":"1"}}}},{"DeleteRequest":{"Key":{"p":{"S":"a"},"s":{"N":"1"}}}}]}}`, "ValidationException")
	b.want("BatchGetItem", `{"RequestItems":{"T":{"ConsistentRead":true,"Keys":[{"p":{"S":"a"},"s":{"N":"1"}},{"p":{"S":"a"},"s":{"N":"9"}}],"ProjectionExpression":"s"}}}`,
		`{"Responses":{"T":[{"s":{"N":"1"}}]},"UnprocessedKeys":{}}`)
	b.want("BatchGetItem", `{"RequestItems":{"T":{"Keys":[{"p":{"S":"a"},"s":{"N":"1"}},{"p":{"S":"a"},"s":{"N":"1"}}]}}}`, "ValidationException")
	b.want("BatchGetItem", `{"RequestItems":{}}`, "ValidationException")
	b.want("BatchGetItem", `{"RequestItems":{"no-such-table":{"Keys":[{"p":{"S":"a"},"s":{"N":"1"}}]}}}`, "ResourceNotFoundException")
}

func probeTables(b bench) {
	b.want("CreateTable", hashOnly, "ResourceInUseException")
	b.want("DescribeTable", `{"TableName":"no-such-table"}`, "ResourceNotFoundException")
	b.want("DeleteTable", `{"TableName":"no-such-table"}`, "ResourceNotFoundException")
	b.want("CreateTable", strings.Replace(hashOnly, `"T"`, `"a b"`, 1), "ValidationException")
	b.want("CreateTable", strings.Replace(hashOnly, `"HASH"`, `"RANGE"`, 1), "ValidationException")
	b.want("CreateTable", strings.Replace(hashOnly, `"PAY_PER_REQUEST"`, `"PROVISIONED"`, 1), "ValidationException")
	b.want("CreateTable", strings.Replace(strings.Replace(hashOnly, `"T"`, `"other"`, 1), `"id","AttributeType"`, `"di","AttributeType"`, 1), "ValidationException")
	b.want("DescribeTimeToLive", `{"TableName":"T"}`, `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`)
	const ttl = `{"TableName":"T","TimeToLiveSpecification":{"AttributeName":"expires","Enabled":true}}`
	b.want("UpdateTimeToLive", ttl, `{"TimeToLiveSpecification":{"AttributeName":"expires","Enabled":true}}`)
	b.want("UpdateTimeToLive", ttl, "ValidationException")
	b.want("DescribeTimeToLive", `{"TableName":"T"}`, `{"TimeToLiveDescription":{"AttributeName":"expires","TimeToLiveStatus":"ENABLED"}}`)
}
