package dynamoshards

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// mostAnswer is how many bytes of an answer to GetRecords are read. The service
// sends at most 1 MB of items, and the least of their values, such as an empty
// string or a null, takes some fifteen bytes of JSON for one of its own.
const mostAnswer = 16 << 20

// errAnswer says that an answer is larger than the service's can be. Whoever
// answers is not it, or has gone mad; a smaller page may do.
var errAnswer = fmt.Errorf("the answer has more than %d bytes, which is more than the service sends", mostAnswer)

// boundAnswer has the SDK read no more of an answer than mostAnswer.
func boundAnswer(o *dynamodbstreams.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("TowpathBoundAnswer", bounded), middleware.After)
	})
}

func bounded(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if answered, ok := out.RawResponse.(*smithyhttp.Response); ok && answered.Response != nil && answered.Body != nil {
		left := int64(mostAnswer)
		if answered.ContentLength > mostAnswer {
			left = -1 // nothing of it is read
		}
		answered.Body = &boundedBody{ReadCloser: answered.Body, left: left}
	}
	return out, metadata, err
}

// boundedBody is a body that fails behind its bound. An answer without a length
// that ends just there is whole.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read reads up to the bound, and one byte further to see that there is none.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errAnswer
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, errAnswer
	}
	return n, err
}

// smaller is the next page size after an answer that was too large, and larger
// that after one that was not.
func smaller(limit int) int      { return max(1, limit/2) }
func larger(limit, most int) int { return min(2*limit, most) }
func isTooLarge(err error) bool  { return errors.Is(err, errAnswer) }
