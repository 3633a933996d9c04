import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A line for each record that a worker has handled, in a file that all workers append to. One write
 * is one line, so that the order of the lines is the order in which all of it happened, and a kill
 * leaves no half of one.
 */
final class Ledger {
  private final FileOutputStream file;
  private final String worker;
  private final AtomicInteger tenures = new AtomicInteger();

  Ledger(String path, String worker) throws IOException {
    this.file = new FileOutputStream(path, true);
    this.worker = worker;
  }

  /** A name for the time in which this worker has one shard. */
  String tenure() {
    return Integer.toString(tenures.incrementAndGet());
  }

  /** Writes one line: worker, tenure, shard, sequence number, sub-sequence number, key, payload, time. */
  void enter(String tenure, String shard, String sequence, long sub, String key, String text) {
    String line =
        String.join("\t", worker, tenure, shard, sequence, Long.toString(sub), key, text, Long.toString(System.nanoTime()))
            + "\n";
    try {
      file.write(line.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // Nothing that this process does from here on could be judged.
      System.out.println("cannot write the ledger: " + e);
      Runtime.getRuntime().halt(4);
    }
  }
}
