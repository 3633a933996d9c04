import java.lang.reflect.Field;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.LeaseCleanupConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.Lease;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseRefresher;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * One worker of a fleet on the Kinesis Client Library, for the proof that it and towpath read and
 * write one lease table.
 *
 * <p>usage: KclWorker work|shipped|rows KINESIS DYNAMODB APPLICATION STREAM WORKER LEDGER
 *
 * <p>work runs until SIGTERM, and then stops as the library's own manual has it. shipped does so with
 * the settings that the library is shipped with, where work has shorter times. rows lists the lease
 * table with the library's own reader, prints how many rows it understood, and ends. Both fail with
 * status 3 if the library cannot read the table.
 */
public final class KclWorker {
  /** The shortest that a lease of the library is sensibly held; towpath's LeaseDuration is the same. */
  static final long FAILOVER_MILLIS = 3_000;

  private static final Region REGION = Region.US_EAST_1;

  private KclWorker() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 7) {
      System.err.println("usage: KclWorker work|shipped|rows KINESIS DYNAMODB APPLICATION STREAM WORKER LEDGER");
      System.exit(2);
    }
    // The library's threads would go on renewing leases that nobody works.
    Thread.currentThread().setUncaughtExceptionHandler(
        (thread, e) -> {
          e.printStackTrace(System.out);
          Runtime.getRuntime().halt(4);
        });
    String verb = args[0], application = args[3], stream = args[4], worker = args[5];
    var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
    // The server of Kinesis speaks plain HTTP/1.1; the library's own default is HTTP/2 over TLS.
    KinesisAsyncClient kinesis =
        KinesisAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create(args[1]))
            .httpClientBuilder(patient().protocol(Protocol.HTTP1_1))
            .build();
    DynamoDbAsyncClient dynamo =
        DynamoDbAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create(args[2]))
            .httpClientBuilder(patient())
            .build();

    readable(dynamo, application);
    if (verb.equals("rows")) {
      System.exit(0);
    }

    // Asked for by a constructor and never called: the metrics go nowhere.
    CloudWatchAsyncClient nowhere =
        CloudWatchAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create("http://127.0.0.1:9"))
            .build();
    Ledger ledger = new Ledger(args[6], worker);
    ConfigsBuilder configs =
        new ConfigsBuilder(stream, application, kinesis, dynamo, nowhere, worker, () -> new Entering(ledger));
    boolean shipped = verb.equals("shipped");
    var polling = new PollingConfig(stream, kinesis);
    if (!shipped) {
      polling.idleTimeBetweenReadsInMillis(300).maxRecords(500);
    }
    var retrieval =
        configs
            .retrievalConfig()
            .retrievalSpecificConfig(polling)
            .initialPositionInStreamExtended(
                InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
    var leases =
        configs
            .leaseManagementConfig()
            .initialPositionInStream(
                InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
    var coordinator = configs.coordinatorConfig();
    if (!shipped) {
      leases.failoverTimeMillis(FAILOVER_MILLIS).shardSyncIntervalMillis(5_000);
      cleanQuickly(leases);
      Version.hasten(leases);
      coordinator.parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(200);
    }

    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            coordinator,
            leases,
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
            configs.processorConfig(),
            retrieval);
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  Future<Boolean> stopped = scheduler.startGracefulShutdown();
                  try {
                    System.out.println("stopped gracefully: " + stopped.get(20, TimeUnit.SECONDS));
                    main.join(Duration.ofSeconds(5).toMillis());
                  } catch (Exception e) {
                    System.out.println("did not stop gracefully: " + e);
                  }
                }));
    System.out.println("running");
    scheduler.run();
  }

  /** Waits longer than by default, for a machine that is busy with everything at once. */
  private static NettyNioAsyncHttpClient.Builder patient() {
    return NettyNioAsyncHttpClient.builder()
        .maxConcurrency(64)
        .connectionAcquisitionTimeout(Duration.ofSeconds(60))
        .connectionTimeout(Duration.ofSeconds(30));
  }

  /**
   * Lets the library delete the rows of finished shards within seconds: it takes minutes over it, and
   * has no setting for that.
   */
  private static void cleanQuickly(LeaseManagementConfig leases) throws ReflectiveOperationException {
    Field field = LeaseManagementConfig.class.getDeclaredField("leaseCleanupConfig");
    field.setAccessible(true);
    field.set(
        leases,
        LeaseCleanupConfig.builder()
            .leaseCleanupIntervalMillis(5_000)
            .completedLeaseCleanupIntervalMillis(10_000)
            .garbageLeaseCleanupIntervalMillis(60_000)
            .build());
  }

  /**
   * Reads every row as the library does before it works: one that it cannot read stops all of it. It is
   * tried again, since a busy machine times out, and a row that cannot be read stays so.
   */
  private static void readable(DynamoDbAsyncClient dynamo, String table) throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        System.out.println("rows " + readRows(Version.refresher(table, dynamo)));
        return;
      } catch (Exception e) {
        e.printStackTrace(System.out);
        if (attempt == 5) {
          System.exit(3);
        }
        Thread.sleep(2_000);
      }
    }
  }

  private static int readRows(DynamoDBLeaseRefresher refresher) throws Exception {
    if (!refresher.leaseTableExists()) {
      return 0;
    }
    List<Lease> rows = refresher.listLeases();
    for (Lease row : rows) {
      if (row.checkpoint() == null || row.leaseCounter() == null || row.parentShardIds() == null) {
        throw new IllegalStateException("a row lacks what the library needs: " + row);
      }
    }
    return rows.size();
  }
}
