import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseRefresher;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseSerializer;

/** What differs from one major version of the library to the next: here 2.x. */
final class Version {
  private Version() {}

  /** Shortens what takes longer than a test has. */
  static void hasten(LeaseManagementConfig leases) {}

  static DynamoDBLeaseRefresher refresher(String table, DynamoDbAsyncClient dynamo) {
    return new DynamoDBLeaseRefresher(table, dynamo, new DynamoDBLeaseSerializer(), true);
  }
}
