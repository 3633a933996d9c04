import java.lang.instrument.Instrumentation;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * DynamoDB Local as LocalStack starts it, with LocalStack's own command line, except that it
 * listens on the loopback address and not on every interface.
 *
 * <p>It is also the Java agent that LocalStack's command line names: LocalStack's own agent lifts a
 * limit on indexes that no test here reaches, so this one does nothing.
 */
public final class LoopbackDynamo {
  private LoopbackDynamo() {}

  public static void premain(String options, Instrumentation instrumentation) {}

  public static void main(String[] args) throws Exception {
    DynamoDBProxyServer dynamo = ServerRunner.createServerFromCommandLineArgs(args);
    Field jetty = DynamoDBProxyServer.class.getDeclaredField("server");
    jetty.setAccessible(true);
    for (Connector connector : ((Server) jetty.get(dynamo)).getConnectors()) {
      ((ServerConnector) connector).setHost("127.0.0.1");
    }
    dynamo.start();
    dynamo.join();
  }
}
