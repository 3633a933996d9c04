package bucketfake

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// decode takes a body out of aws-chunked encoding, if it is in that: chunks of
// "size in hexadecimal[;chunk-signature=…]", CRLF, the bytes, CRLF; an empty one
// as the last; then trailers, each on a line. A body in another encoding is
// returned as it is, without trailers.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func decode(header http.Header, body []byte) (plain []byte, trailer http.Header, err error) {
	if !strings.HasPrefix(header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body, nil, nil
	}
	malformed := refusal("IncompleteBody", http.StatusBadRequest, "The request body terminated unexpectedly")
	plain = make([]byte, 0, len(body))
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		if !ok {
			return nil, nil, malformed
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil {
			return nil, nil, malformed
		}
		body = rest
		if n == 0 {
			break
		}
		if uint64(len(body)) < n+2 || string(body[n:n+2]) != "\r\n" {
			return nil, nil, malformed
		}
		plain, body = append(plain, body[:n]...), body[n+2:]
	}
	want := header.Get("X-Amz-Decoded-Content-Length")
	if want == "" {
		return nil, nil, refusal("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.")
	}
	if want != strconv.Itoa(len(plain)) {
		return nil, nil, malformed
	}
	trailer = http.Header{}
	for line := range strings.SplitSeq(string(body), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			trailer.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	if announced := header.Get("X-Amz-Trailer"); announced != "" && trailer.Get(announced) == "" {
		return nil, nil, refusal("MalformedTrailerError", http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	}
	return plain, trailer, nil
}
