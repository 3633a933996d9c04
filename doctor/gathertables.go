package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/shard"
)

// tables asks for each table of the application.
func (g *gathering) tables(ctx context.Context) error {
	for _, role := range []dynamocheckpoint.TableRole{
		dynamocheckpoint.RoleLeases, dynamocheckpoint.RoleSessions, dynamocheckpoint.RoleStates, dynamocheckpoint.RoleParked,
	} {
		name, made := g.Table.NameOf(role)
		t := Table{Role: role, Name: name, Made: made}
		out, err := g.Dynamo.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		var missing *types.ResourceNotFoundException
		switch {
		case errors.As(err, &missing):
			g.Tables = append(g.Tables, t)
			continue
		case isDenied(err):
			g.unanswered(fmt.Sprintf("what the %s %s is like", role, name), err)
			g.undescribed = append(g.undescribed, name)
			continue
		case err != nil:
			return fmt.Errorf("describe the %s %s: %w", role, name, err)
		}
		g.describe(&t, out.Table)
		g.protection(ctx, &t)
		g.Tables = append(g.Tables, t)
	}
	return nil
}

// describe takes over what a description tells.
func (g *gathering) describe(t *Table, d *types.TableDescription) {
	t.There, t.Status, t.Misfit = true, string(d.TableStatus), g.Table.Fits(d, t.Role)
	t.Protected = aws.ToBool(d.DeletionProtectionEnabled)
	t.Provisioned = d.BillingModeSummary == nil || d.BillingModeSummary.BillingMode == types.BillingModeProvisioned
	if p := d.ProvisionedThroughput; p != nil {
		t.WriteUnits, t.ReadUnits = aws.ToInt64(p.WriteCapacityUnits), aws.ToInt64(p.ReadCapacityUnits)
	}
	if c := d.TableClassSummary; c != nil {
		t.Infrequent = c.TableClass == types.TableClassStandardInfrequentAccess
	}
	for _, x := range d.GlobalSecondaryIndexes {
		if aws.ToString(x.IndexName) == "LeaseOwnerToLeaseKeyIndex" {
			t.Index = string(x.IndexStatus)
		}
	}
	for _, e := range d.KeySchema {
		g.keys[t.Role] = append(g.keys[t.Role], aws.ToString(e.AttributeName))
	}
}

// protection asks what keeps the table's rows, and what deletes them.
func (g *gathering) protection(ctx context.Context, t *Table) {
	ttl, err := g.Dynamo.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &t.Name})
	if err != nil {
		g.unanswered("whether rows of table "+t.Name+" expire", err)
		return
	}
	backups, err := g.Dynamo.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &t.Name})
	if err != nil {
		g.unanswered("whether table "+t.Name+" has point-in-time recovery", err)
		return
	}
	t.Asked = true
	if d := ttl.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		t.Expires = aws.ToString(d.AttributeName)
	}
	if d := backups.ContinuousBackupsDescription; d != nil && d.PointInTimeRecoveryDescription != nil {
		t.Recovers = d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled
	}
}

// fleet reads the tables twice.
func (g *gathering) fleet(ctx context.Context) error {
	leases, known := g.table(dynamocheckpoint.RoleLeases)
	sessions, asked := g.table(dynamocheckpoint.RoleSessions)
	if known && !leases.There {
		return fmt.Errorf("the lease table %s is not there: %w", leases.Name, checkpoint.ErrNoTable)
	}
	if known && leases.Misfit != nil {
		return nil // its rows mean nothing
	}
	withSessions := !asked || sessions.There && sessions.Misfit == nil
	var err error
	if withSessions {
		g.Claimed, err = g.Table.Claimed(ctx)
		g.ClaimUnread = err != nil
		g.unanswered("which stream the tables belong to", err)
	}
	if g.First, err = g.look(ctx, withSessions, true); err != nil {
		return err
	}
	if err := g.pause(ctx); err != nil {
		return err
	}
	g.Second, err = g.look(ctx, withSessions, false)
	return err
}

// look reads them once. The first notes which attributes there are.
func (g *gathering) look(ctx context.Context, sessions, first bool) (l Look, err error) {
	if l.Rows, err = g.rows(ctx, first); err != nil {
		return l, err
	}
	l.Rows, g.Others = ofStream(l.Rows, g.Stream)
	l.Neighbours, err = g.Table.Neighbours(ctx)
	g.unanswered("what KCL keeps beside its leases", err)
	if first {
		g.unseen = g.besideUnseen(ctx)
	}
	l.NeighboursUnread = err != nil || g.unseen
	if !sessions {
		return l, nil
	}
	l.Sessions, err = g.Table.Sessions(ctx)
	g.unanswered("the workers' signs of life", err)
	l.Blind = err != nil
	l.Control, err = g.Table.Control(ctx)
	if wasCalled(err) {
		g.unanswered("what the fleet is told", err)
	} else {
		l.ControlFault = err
	}
	return l, nil
}

// besideUnseen reports whether the tables that KCL had beside its leases until 3.5
// may not be read. A worker takes that for an answer, as it sees leases that move;
// nobody can call it well.
func (g *gathering) besideUnseen(ctx context.Context) bool {
	policy, err := iam.For(iam.Scope{Stream: g.Stream.ARN, Application: g.Config.Application}, iam.BesideKCL)
	if err != nil || len(policy.Statement) == 0 {
		return false // tables of an ARN that is none of AWS's
	}
	unseen := false
	for _, resource := range policy.Statement[0].Resource {
		_, table, _ := strings.Cut(resource, ":table/")
		_, err := g.Dynamo.Scan(ctx, &dynamodb.ScanInput{TableName: &table, Limit: aws.Int32(1)})
		if isDenied(err) {
			unseen = true
			g.unanswered("what KCL keeps in table "+table+", if there is one", err)
		}
	}
	return unseen
}

// wasCalled reports whether an error is of a call, and not of what it brought.
func wasCalled(err error) bool {
	var operation *smithy.OperationError
	var answer smithy.APIError
	return errors.As(err, &operation) || errors.As(err, &answer)
}

// rows reads the lease table.
func (g *gathering) rows(ctx context.Context, first bool) (rows []shard.Lease, err error) {
	name, _ := g.Table.NameOf(dynamocheckpoint.RoleLeases)
	in := &dynamodb.ScanInput{TableName: &name, ConsistentRead: aws.Bool(true)}
	for {
		page, err := g.Dynamo.Scan(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read the lease table %s: %w", name, err)
		}
		for _, row := range page.Items {
			l, isLease := dynamocheckpoint.LeaseOf(row)
			if !isLease {
				continue
			}
			rows = append(rows, l)
			for attribute := range row {
				if first && dynamocheckpoint.WriterOf(attribute) == "" {
					g.Attributes[attribute]++
				}
			}
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			slices.SortFunc(rows, func(a, b shard.Lease) int { return cmp.Compare(a.Key, b.Key) })
			return rows, nil
		}
	}
}
