package dynamoshards

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/shard"
)

// toRecord is a record of the service as handlers get it. Its data is the JSON
// with which AWS Lambda calls a function for it, its partition key the item's.
func toRecord(r *types.Record, arn, shardID string, at time.Time) shard.Record {
	return shard.Record{
		Stream:       arn,
		Shard:        shardID,
		Sequence:     aws.ToString(r.Dynamodb.SequenceNumber),
		PartitionKey: string(appendItem(nil, r.Dynamodb.Keys, true)),
		Keyed:        true,
		Data:         appendRecord(nil, r, arn),
		ArrivedAt:    at,
	}
}

// appendRecord writes a record in the shape, and with the order of members, of
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html.
func appendRecord(b []byte, r *types.Record, arn string) []byte {
	d := r.Dynamodb
	b = appendMember(b, '{', "eventID", aws.ToString(r.EventID))
	b = appendMember(b, ',', "eventName", string(r.EventName))
	b = appendMember(b, ',', "eventVersion", aws.ToString(r.EventVersion))
	b = appendMember(b, ',', "eventSource", aws.ToString(r.EventSource))
	from := aws.ToString(r.AwsRegion)
	if from == "" {
		from = region(arn)
	}
	b = appendMember(b, ',', "awsRegion", from)
	b = append(b, `,"dynamodb":{`...)
	if at := d.ApproximateCreationDateTime; at != nil {
		b = append(b, `"ApproximateCreationDateTime":`...)
		b = append(appendEpoch(b, *at), ',')
	}
	b = append(b, `"Keys":`...)
	b = appendItem(b, d.Keys, false)
	if d.NewImage != nil {
		b = append(b, `,"NewImage":`...)
		b = appendItem(b, d.NewImage, false)
	}
	if d.OldImage != nil {
		b = append(b, `,"OldImage":`...)
		b = appendItem(b, d.OldImage, false)
	}
	b = appendMember(b, ',', "SequenceNumber", aws.ToString(d.SequenceNumber))
	b = append(b, `,"SizeBytes":`...)
	b = strconv.AppendInt(b, aws.ToInt64(d.SizeBytes), 10)
	b = appendMember(b, ',', "StreamViewType", string(d.StreamViewType))
	b = append(b, '}')
	b = appendMember(b, ',', "eventSourceARN", arn)
	if who := r.UserIdentity; who != nil {
		b = append(b, `,"userIdentity":`...)
		b = appendMember(b, '{', "type", aws.ToString(who.Type))
		b = appendMember(b, ',', "principalId", aws.ToString(who.PrincipalId))
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendMember(b []byte, before byte, name, text string) []byte {
	b = append(append(b, before, '"'), name...)
	return appendText(append(b, `":`...), text)
}

// appendEpoch writes seconds, with three decimals if they are not whole.
func appendEpoch(b []byte, at time.Time) []byte {
	ms := at.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', 3, 64)
}

// appendText writes a JSON string. Most are plain and need no escapes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
