package bucketfake

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// checksum is an object's checksum as the service gives it back.
type checksum struct {
	header string // x-amz-checksum-…, lower case
	value  string // base64
}

// checksums are the algorithms by the header that carries them. What they are:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
var checksums = map[string]func() hash.Hash{
	"x-amz-checksum-crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"x-amz-checksum-crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"x-amz-checksum-crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"x-amz-checksum-sha1":      sha1.New,
	"x-amz-checksum-sha256":    sha256.New,
}

// nvme is the table of CRC-64/NVME, its polynomial reversed.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// verify compares a body with every checksum that came along, and returns the
// one to be kept: the client's, or CRC-64/NVME if it sent none.
func verify(header, trailer http.Header, body []byte) (checksum, error) {
	if sent := header.Get("Content-Md5"); sent != "" {
		sum := md5.Sum(body)
		if sent != base64.StdEncoding.EncodeToString(sum[:]) {
			return checksum{}, refusal("BadDigest", http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.")
		}
	}
	// Other values of this header name an encoding and not a hash.
	if sent := header.Get("X-Amz-Content-Sha256"); len(sent) == hex.EncodedLen(sha256.Size) && len(trailer) == 0 {
		sum := sha256.Sum256(body)
		if sent != hex.EncodeToString(sum[:]) {
			return checksum{}, refusal("XAmzContentSHA256Mismatch", http.StatusBadRequest, "The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}
	kept := checksum{}
	for name, algorithm := range checksums {
		sent := header.Get(name)
		if sent == "" {
			sent = trailer.Get(name)
		}
		if sent == "" {
			continue
		}
		if kept.header != "" {
			return checksum{}, refusal("InvalidRequest", http.StatusBadRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		if kept = sum(name, algorithm, body); kept.value != sent {
			return checksum{}, refusal("BadDigest", http.StatusBadRequest,
				"The %s you specified did not match the calculated checksum.", strings.ToUpper(strings.TrimPrefix(name, "x-amz-checksum-")))
		}
	}
	if kept.header == "" {
		const name = "x-amz-checksum-crc64nvme"
		kept = sum(name, checksums[name], body)
	}
	return kept, nil
}

func sum(name string, algorithm func() hash.Hash, body []byte) checksum {
	h := algorithm()
	_, _ = h.Write(body) // a hash never fails
	return checksum{name, base64.StdEncoding.EncodeToString(h.Sum(nil))}
}
