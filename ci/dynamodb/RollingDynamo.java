import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.server.Server;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBServerHandler;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;

/**
 * DynamoDB Local whose stream shards roll over when a test asks, not after four hours.
 *
 * <p>Usage: {@code java RollingDynamo PORT CONTROL_PORT}. Tables live in memory, are shared by all
 * access keys and regions, and both ports listen on the loopback address alone. The server is put
 * together here, and not by DynamoDB Local's own command line, because that one listens on every
 * interface and sends telemetry.
 *
 * <p>The control port answers:
 *
 * <ul>
 *   <li>{@code GET /ping}: 200 once DynamoDB listens.
 *   <li>{@code POST /rollover}: closes every open stream shard; each gets one child.
 *   <li>{@code POST /age?hours=N}: makes all stream records N hours older, then rolls over shards
 *       older than 4 hours and trims records older than 24. Ages add up.
 * </ul>
 *
 * Both POSTs reach every table of the server, so tests that use them must not run in parallel with
 * other stream tests.
 */
public final class RollingDynamo {
  private static final String USAGE = "use GET /ping, POST /rollover or POST /age?hours=N\n";

  private final LocalDynamoDBRequestHandler tables;

  private RollingDynamo(LocalDynamoDBRequestHandler tables) {
    this.tables = tables;
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: RollingDynamo PORT CONTROL_PORT");
      System.exit(2);
    }
    InetAddress loopback = InetAddress.getLoopbackAddress();
    boolean inMemory = true;
    boolean sharedDb = true;
    boolean slowTableStates = false;
    var tables = new LocalDynamoDBRequestHandler(0, inMemory, null, sharedDb, slowTableStates);
    var dynamo = new Server(new InetSocketAddress(loopback, Integer.parseInt(args[0])));
    dynamo.setHandler(new LocalDynamoDBServerHandler(tables, null));
    dynamo.start();

    var control = HttpServer.create(new InetSocketAddress(loopback, Integer.parseInt(args[1])), 0);
    control.createContext("/", new RollingDynamo(tables)::answer);
    control.start();
    dynamo.join();
  }

  private void answer(HttpExchange call) throws IOException {
    int status = 200;
    String text = "done\n";
    try {
      switch (call.getRequestMethod() + " " + call.getRequestURI().getPath()) {
        case "GET /ping" -> {}
        case "POST /rollover" -> {
          for (var db : databases()) {
            limit(db);
            db.triggerShardRollovers();
          }
        }
        case "POST /age" -> {
          long older = hours(call.getRequestURI().getQuery()).toMillis();
          for (var db : databases()) {
            limit(db);
            db.dilateEventTimes(older);
          }
        }
        default -> {
          status = 404;
          text = USAGE;
        }
      }
    } catch (IllegalArgumentException e) {
      status = 400;
      text = e.getMessage() + "; " + USAGE;
    } catch (ReflectiveOperationException | RuntimeException e) {
      e.printStackTrace();
      status = 500;
      text = e + "\n";
    }
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    call.sendResponseHeaders(status, body.length);
    call.getResponseBody().write(body);
    call.close();
  }

  /**
   * Refuses what would be left undone in silence: DynamoDB Local rolls over the shards of the first
   * 100 tables, by name, and leaves those of the others as they are (3.1.0, ShardRolloverJob).
   */
  private static void limit(AmazonDynamoDBLocal db) {
    if (db.dynamoDbClient().listTables().lastEvaluatedTableName() != null) {
      throw new IllegalStateException(
          "more than 100 tables are here, and only the first 100 roll over: restart the server, or delete tables");
    }
  }

  private static Duration hours(String query) {
    if (query == null || !query.matches("hours=[0-9]{1,4}")) {
      throw new IllegalArgumentException("want hours=N, got " + query);
    }
    return Duration.ofHours(Long.parseLong(query.substring("hours=".length())));
  }

  /**
   * The databases behind the request handler: one, since they are shared, and none before the first
   * request. The handler keeps them private, hence the reflection: if a newer DynamoDB Local renames
   * the field, /rollover answers 500 with its name.
   */
  @SuppressWarnings("unchecked")
  private List<AmazonDynamoDBLocal> databases() throws ReflectiveOperationException {
    Field byName = LocalDynamoDBRequestHandler.class.getDeclaredField("dbRequestHandlers");
    byName.setAccessible(true);
    return List.copyOf(((Map<String, AmazonDynamoDBLocal>) byName.get(tables)).values());
  }
}
