package stepfunctionsdestination_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/stepfunctionsdestination"
	"github.com/towpath/towpath/internal/servertest"
)

// execution is what a server tells of one.
type execution struct{ name, input string }

// wireMachine makes a machine that passes its input on, and reads what was
// started.
func wireMachine(t *testing.T) (*stepfunctionsdestination.Machine, func(*testing.T) []execution) {
	client := sfn.NewFromConfig(servertest.Config(t, "aws"))
	name := fmt.Sprintf("orders-%d", time.Now().UnixNano())
	made, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::000000000000:role/machine"),
		Definition: aws.String(`{"StartAt":"Done","States":{"Done":{"Type":"Pass","End":true}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return stepfunctionsdestination.Open(client, *made.StateMachineArn), func(t *testing.T) (all []execution) {
		t.Helper()
		pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{StateMachineArn: made.StateMachineArn})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Executions {
				told, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, execution{*told.Name, aws.ToString(told.Input)})
			}
		}
		slices.SortFunc(all, func(a, b execution) int { return cmp.Compare(a.name, b.name) })
		return all
	}
}

func TestMachineIsADestinationOnAServer(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		m, executions := wireMachine(t)
		return destinationtest.Rig{
			Destination: m,
			MaxBytes:    destination.MaxStepFunctionsBytes,
			Once:        true,
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, e := range executions(t) {
					all = append(all, destinationtest.Accepted{ID: e.name, Body: []byte(e.input)})
				}
				return all
			},
		}
	})
}

func TestMachineIsAPublisherOnAServer(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		m, executions := wireMachine(t)
		return destinationtest.PublisherRig{
			Publisher:  m,
			MaxBytes:   destination.MaxStepFunctionsBytes,
			Attributed: true,
			Once:       true,
			Unordered:  true,
			Rewrites:   true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				for _, e := range executions(t) {
					p := destinationtest.Unwrap(t, destination.FormDocument, []byte(e.input), nil)
					p.Bytes = len(e.input)
					all = append(all, p)
				}
				return all
			},
		}
	})
}

func TestMissingMachineIsReadableOnAServer(t *testing.T) {
	const arn = "arn:aws:states:us-east-1:000000000000:stateMachine:there-is-none"
	err := stepfunctionsdestination.Open(sfn.NewFromConfig(servertest.Config(t, "aws")), arn).Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such state machine") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}
