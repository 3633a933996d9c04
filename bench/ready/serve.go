package ready

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// Address is where a server is.
type Address struct {
	// Plain and TLS are the endpoints of Kinesis and DynamoDB, without and with
	// TLS.
	Plain string `json:"plain"`
	TLS   string `json:"tls"`
	// Certificate is what a client has to trust, in PEM.
	Certificate string `json:"certificate"`
}

// Serve listens on two free ports of 127.0.0.1, says where, and answers until ctx
// ends. It speaks HTTP/1.1 alone, unless http2 has TLS offer HTTP/2 too.
func Serve(ctx context.Context, http2 bool, ready func(Address) error) error {
	certificate, text, err := selfSigned()
	if err != nil {
		return err
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listen on loopback: %w", err)
		}
		defer listeners[i].Close()
	}
	handler := route(New(), dynamofake.New(nil))
	plain, secure := newServer(handler), newServer(handler)
	secure.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	secure.Protocols.SetHTTP2(http2)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return plain.Serve(listeners[0]) })
	group.Go(func() error { return secure.ServeTLS(listeners[1], "", "") })
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(plain.Close(), secure.Close())
	})
	err = ready(Address{
		Plain: "http://" + listeners[0].Addr().String(), TLS: "https://" + listeners[1].Addr().String(), Certificate: text,
	})
	if err != nil {
		group.Go(func() error { return err })
	}
	if err := group.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newServer(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // readers are killed in the middle of answers
		Protocols:         &protocols,
	}
}

// route sends what is for DynamoDB there.
func route(kinesis, dynamo http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB") {
			dynamo.ServeHTTP(w, r)
			return
		}
		kinesis.ServeHTTP(w, r)
	})
}

// selfSigned is a certificate for 127.0.0.1, and the text by which it is trusted.
func selfSigned() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, // the JDK refuses one without a name
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("sign a certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text), nil
}
