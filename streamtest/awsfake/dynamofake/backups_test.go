package dynamofake_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

func TestDescriptionsTellOfPointInTimeRecovery(t *testing.T) {
	client := clientOf(dynamofake.New(time.Now))
	createLeases(t, client)
	told := func() types.PointInTimeRecoveryStatus {
		out, err := client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("leases")})
		if err != nil {
			t.Fatal(err)
		}
		return out.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus
	}
	if got := told(); got != types.PointInTimeRecoveryStatusDisabled {
		t.Errorf("at first it is %s", got)
	}
	_, err := client.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: aws.String("leases"), PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := told(); got != types.PointInTimeRecoveryStatusEnabled {
		t.Errorf("turned on it is %s", got)
	}
	_, err = client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("no-such-table")})
	var missing *types.TableNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("of a missing table: %v", err)
	}
}
