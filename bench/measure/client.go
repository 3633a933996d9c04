package measure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// mostIdle is how many connections are kept at least. The SDK's own bound, ten,
// has a reader of a thousand shards open connections all the time.
const mostIdle = 10

// transport is the SDK's own, which trusts the server and keeps a connection for
// each shard.
func (t Task) transport() *awshttp.BuildableClient {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(t.Server.Certificate))
	return awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
		tr.MaxIdleConns, tr.MaxIdleConnsPerHost = 0, max(mostIdle, t.Stream.Shards)
	})
}

// config is how the SDK's clients reach the server of the task.
func (t Task) config() aws.Config {
	return aws.Config{
		Region:       awsfake.Region,
		Credentials:  aws.NewCredentialsCache(credentials{}),
		BaseEndpoint: aws.String(t.endpoint()),
		HTTPClient:   awsfake.WholeBody(t.transport()),
	}
}

func (t Task) endpoint() string {
	if t.TLS {
		return t.Server.TLS
	}
	return t.Server.Plain
}

type credentials struct{}

// Retrieve implements aws.CredentialsProvider. The server looks at none of it.
func (credentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "secret"}, nil
}

// counting counts the requests that a client makes.
type counting struct {
	next  aws.HTTPClient
	calls atomic.Int64
}

// Do implements aws.HTTPClient.
func (c *counting) Do(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.next.Do(r)
}
