import java.time.Duration;
import java.util.List;

import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.kinesis.common.DdbTableConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseRefresher;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.TableCreatorCallback;

/** What differs from one major version of the library to the next: here 3.x. */
final class Version {
  private Version() {}

  /** Shortens what takes longer than a test has: the leader's lock, the workers' metrics. */
  static void hasten(LeaseManagementConfig leases) {
    leases
        .dynamoDbLockBasedLeaderLeaseDurationInMillis(6_000)
        .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1_500)
        .workerUtilizationAwareAssignmentConfig()
        .inMemoryWorkerMetricsCaptureFrequencyMillis(500)
        .workerMetricsReporterFreqInMillis(4_000);
  }

  static DynamoDBLeaseRefresher refresher(String table, DynamoDbAsyncClient dynamo) {
    var config = new DdbTableConfig();
    config.billingMode(BillingMode.PAY_PER_REQUEST);
    return new DynamoDBLeaseRefresher(
        table,
        dynamo,
        new DynamoDBLeaseSerializer(),
        true,
        TableCreatorCallback.NOOP_TABLE_CREATOR_CALLBACK,
        Duration.ofSeconds(60),
        config,
        false,
        false,
        List.of());
  }
}
