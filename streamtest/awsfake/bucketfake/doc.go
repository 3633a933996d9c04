// Package bucketfake is S3 in memory. It speaks the REST protocol of the real
// service with XML, with the bucket in the host or in the path, so that the
// SDK's client cannot tell them apart in what a writer of objects relies on:
//
//   - Buckets: create, head, list, delete when empty. Names are checked.
//   - PutObject with metadata and the headers that are kept with an object, in
//     plain or in aws-chunked encoding. Every checksum that comes along, in a
//     header or in a trailer, is verified: CRC-32, CRC-32C, CRC-64/NVME, SHA-1,
//     SHA-256, MD5 and the signed hash of the payload.
//   - Conditional writes: If-None-Match with a star, and If-Match.
//   - GetObject and HeadObject with one range and with conditions; the answer
//     has the checksum when asked for it, and the client verifies that.
//   - DeleteObject and DeleteObjects; ListObjectsV2 with prefix, delimiter,
//     start and pages.
//   - Limits: 1,024 bytes of key, 2 KB of metadata, 1,000 keys a page.
//
// Reads see every write that has ended, as in the real service. Time is the
// function given to [New], and only dates objects.
//
// # What is not here
//
// Versions, multipart uploads, copies, tags, ACLs, policies, locks, lifecycle and
// encryption with keys; these are refused with NotImplemented, except that
// headers which ask for encryption, a storage class or tags with a PutObject are
// accepted without effect. Signatures of chunks are not verified. The limit of
// 5 GB for one PutObject is not enforced. Keys with control characters are kept,
// but XML cannot list them.
package bucketfake
