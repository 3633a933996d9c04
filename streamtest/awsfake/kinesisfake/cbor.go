package kinesisfake

import (
	"net/http"

	"github.com/towpath/towpath/internal/recordpage"
)

const cborType = "application/x-amz-cbor-1.1"

// getRecordsInCBOR answers GetRecords in the format it is asked in.
func (s *Service) getRecordsInCBOR(w http.ResponseWriter, body []byte) {
	p, err := s.pageInCBOR(body)
	w.Header().Set("Content-Type", cborType)
	if err != nil {
		e, status := errorOf(err)
		w.WriteHeader(status)
		_, _ = w.Write(recordpage.CBOR(nil).Map(2).Text("__type").Text(e.Code).Text("message").Text(e.Message))
		return
	}
	_, _ = w.Write(p.cbor())
}

func (s *Service) pageInCBOR(body []byte) (page, error) {
	asked, err := recordpage.Flat(body)
	if err != nil {
		return page{}, refusal("SerializationException", "%v", err)
	}
	var in getRecordsInput
	in.ShardIterator, _ = asked["ShardIterator"].(string)
	in.StreamARN, _ = asked["StreamARN"].(string)
	if n, ok := asked["Limit"].(int64); ok {
		limit := int(n)
		in.Limit = &limit
	}
	return s.page(in)
}

// cbor writes a page with maps and lists of unknown length, as the service may.
func (p page) cbor() []byte {
	c := recordpage.CBOR(nil).OpenMap().Text("Records").OpenList()
	for _, r := range p.records {
		c = c.OpenMap().Text("SequenceNumber").Text(r.sequence).Text("ApproximateArrivalTimestamp").Time(r.arrival).Text("Data").Bytes(r.data)
		if r.keyed {
			c = c.Text("PartitionKey").Text(r.key)
		}
		c = c.End()
	}
	c = c.End().Text("MillisBehindLatest").Number(p.behind.Milliseconds())
	if p.next != "" {
		c = c.Text("NextShardIterator").Text(p.next)
	}
	if p.children != nil {
		c = c.Text("ChildShards").List(len(p.children))
		for _, child := range p.children {
			c = c.Map(3).Text("ShardId").Text(child.ShardId).Text("ParentShards").List(len(child.ParentShards))
			for _, parent := range child.ParentShards {
				c = c.Text(parent)
			}
			c = c.Text("HashKeyRange").Map(2).Text("StartingHashKey").Text(child.HashKeyRange.StartingHashKey).
				Text("EndingHashKey").Text(child.HashKeyRange.EndingHashKey)
		}
	}
	return c.End()
}
