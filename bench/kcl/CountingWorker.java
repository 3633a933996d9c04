import java.lang.management.ManagementFactory;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpConfigurationOption;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.utils.AttributeMap;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker on the Kinesis Client Library that counts records, and says what its process took for a
 * number of them after a warm-up: one line of JSON, and it is gone.
 *
 * <p>usage: CountingWorker KINESIS DYNAMODB APPLICATION STREAM WARM COUNT
 */
public final class CountingWorker {
  private static final Region REGION = Region.US_EAST_1;

  /** As often as towpath writes a position by default. */
  private static final long BETWEEN_CHECKPOINTS = Duration.ofSeconds(10).toNanos();

  private CountingWorker() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 6) {
      System.err.println("usage: CountingWorker KINESIS DYNAMODB APPLICATION STREAM WARM COUNT");
      System.exit(2);
    }
    String application = args[2], stream = args[3];
    var meter = new Meter(Long.parseLong(args[4]), Long.parseLong(args[5]));
    var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
    KinesisAsyncClient kinesis =
        KinesisAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create(args[0]))
            .httpClient(http(Protocol.HTTP1_1))
            .build();
    DynamoDbAsyncClient dynamo =
        DynamoDbAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create(args[1]))
            .httpClient(http(Protocol.HTTP1_1))
            .build();
    // Asked for by a constructor and never called: the metrics go nowhere.
    CloudWatchAsyncClient nowhere =
        CloudWatchAsyncClient.builder()
            .region(REGION)
            .credentialsProvider(credentials)
            .endpointOverride(URI.create("http://127.0.0.1:9"))
            .build();
    ConfigsBuilder configs =
        new ConfigsBuilder(stream, application, kinesis, dynamo, nowhere, "bench", () -> new Counting(meter));
    var polling = new PollingConfig(stream, kinesis);
    polling.maxRecords(10_000);
    // The least that the library waits between two reads, so that the processor binds and not the wait.
    polling.idleTimeBetweenReadsInMillis(PollingConfig.MIN_IDLE_MILLIS_BETWEEN_READS);
    var leases = configs.leaseManagementConfig();
    hasten(leases);
    var beginning = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
    new Scheduler(
            configs.checkpointConfig(),
            configs.coordinatorConfig(),
            leases.initialPositionInStream(beginning),
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
            configs.processorConfig(),
            configs.retrievalConfig().retrievalSpecificConfig(polling).initialPositionInStreamExtended(beginning))
        .run();
  }

  /** Has the first worker take the leases within seconds: with what it is shipped with it takes minutes. */
  private static void hasten(LeaseManagementConfig leases) {
    leases
        .failoverTimeMillis(3_000)
        .dynamoDbLockBasedLeaderLeaseDurationInMillis(6_000)
        .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1_500)
        .workerUtilizationAwareAssignmentConfig()
        .inMemoryWorkerMetricsCaptureFrequencyMillis(500)
        .workerMetricsReporterFreqInMillis(4_000);
  }

  /** A client that trusts the server, whose certificate it signed itself. */
  private static software.amazon.awssdk.http.async.SdkAsyncHttpClient http(Protocol protocol) {
    return NettyNioAsyncHttpClient.builder()
        .protocol(protocol)
        .maxConcurrency(1_000)
        .buildWithDefaults(
            AttributeMap.builder().put(SdkHttpConfigurationOption.TRUST_ALL_CERTIFICATES, true).build());
  }

  /** Counts the records of one shard. */
  private static final class Counting implements ShardRecordProcessor {
    private final Meter meter;
    private long checkpointed = System.nanoTime();

    Counting(Meter meter) {
      this.meter = meter;
    }

    @Override
    public void initialize(InitializationInput input) {}

    @Override
    public void processRecords(ProcessRecordsInput input) {
      meter.add(input.records().size());
      if (System.nanoTime() - checkpointed > BETWEEN_CHECKPOINTS && !input.records().isEmpty()) {
        checkpointed = System.nanoTime();
        try {
          input.checkpointer().checkpoint();
        } catch (Exception e) {
          System.err.println("could not checkpoint: " + e);
        }
      }
    }

    @Override
    public void leaseLost(LeaseLostInput input) {}

    @Override
    public void shardEnded(ShardEndedInput input) {}

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {}
  }

  /** Takes a reading when the warm-up is over, and one when enough records were counted. */
  private static final class Meter {
    private final long warm;
    private final long count;
    private final AtomicLong records = new AtomicLong();
    private final AtomicBoolean begun = new AtomicBoolean();
    private volatile long[] first;

    Meter(long warm, long count) {
      this.warm = warm;
      this.count = count;
    }

    void add(int n) {
      long now = records.addAndGet(n);
      if (now >= warm && begun.compareAndSet(false, true)) {
        first = reading(now);
      }
      long[] from = first;
      if (from != null && now >= from[0] + count) {
        long[] to = reading(now);
        System.out.printf(
            "{\"records\":%d,\"cpu_ns\":%d,\"wall_ns\":%d,\"bytes\":%d}%n",
            to[0] - from[0], to[1] - from[1], to[2] - from[2], to[3] - from[3]);
        System.out.flush();
        Runtime.getRuntime().halt(0);
      }
    }

    /** Records, the process's time, the time, and what the threads that live have allocated. */
    private static long[] reading(long records) {
      var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
      long bytes = 0;
      for (long allocated : threads.getThreadAllocatedBytes(threads.getAllThreadIds())) {
        bytes += Math.max(0, allocated);
      }
      return new long[] {records, system.getProcessCpuTime(), System.nanoTime(), bytes};
    }
  }
}
