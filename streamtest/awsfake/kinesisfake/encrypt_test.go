package kinesisfake_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func TestDescriptionsTellOfEncryption(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		told := func() string {
			out, err := w.client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &w.stream})
			if err != nil {
				t.Fatal(err)
			}
			return string(out.StreamDescriptionSummary.EncryptionType) + " " + aws.ToString(out.StreamDescriptionSummary.KeyId)
		}
		same(t, "at first", told(), "NONE ")
		start := func(key string) error {
			_, err := w.client.StartStreamEncryption(t.Context(), &kinesis.StartStreamEncryptionInput{StreamName: &w.stream, EncryptionType: types.EncryptionTypeKms, KeyId: &key})
			return err
		}
		refused(t, "without a key", start(""), "ValidationException")
		if err := start("alias/clicks"); err != nil {
			t.Fatal(err)
		}
		same(t, "encrypted", told(), "KMS alias/clicks")
		if _, err := w.client.StopStreamEncryption(t.Context(), &kinesis.StopStreamEncryptionInput{StreamName: &w.stream, EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/clicks")}); err != nil {
			t.Fatal(err)
		}
		same(t, "in the end", told(), "NONE ")
	})
}
