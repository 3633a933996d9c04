import java.nio.charset.StandardCharsets;

import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * Enters each record into the ledger, one after the other, and checkpoints every few records and at
 * the end of what it was given, so that a kill falls in the middle of an aggregated record as well.
 */
final class Entering implements ShardRecordProcessor {
  /** Above the size of most aggregates and no multiple of any, so that checkpoints fall on every index. */
  private static final int BETWEEN_CHECKPOINTS = 29;

  private final Ledger ledger;
  private String shard;
  private String tenure;
  private boolean over;

  Entering(Ledger ledger) {
    this.ledger = ledger;
  }

  @Override
  public void initialize(InitializationInput input) {
    shard = input.shardId();
    tenure = ledger.tenure();
    System.out.println("begins " + shard + " after " + input.extendedSequenceNumber());
  }

  @Override
  public void processRecords(ProcessRecordsInput input) {
    int since = 0;
    for (KinesisClientRecord record : input.records()) {
      if (over) {
        return;
      }
      String text = StandardCharsets.UTF_8.decode(record.data().duplicate()).toString();
      if (text.endsWith(" poison")) {
        throw new IllegalStateException("this record is poison"); // what a handler does that fails
      }
      ledger.enter(tenure, shard, record.sequenceNumber(), record.subSequenceNumber(), record.partitionKey(), text);
      if (++since % BETWEEN_CHECKPOINTS == 0) {
        checkpoint(input.checkpointer(), record);
      }
    }
    if (!input.records().isEmpty() && !over) {
      checkpoint(input.checkpointer(), input.records().get(input.records().size() - 1));
    }
  }

  @Override
  public void leaseLost(LeaseLostInput input) {
    over = true;
    System.out.println("lost " + shard);
  }

  @Override
  public void shardEnded(ShardEndedInput input) {
    try {
      input.checkpointer().checkpoint();
      System.out.println("ended " + shard);
    } catch (InvalidStateException | ShutdownException e) {
      System.out.println("could not end " + shard + ": " + e);
    }
  }

  @Override
  public void shutdownRequested(ShutdownRequestedInput input) {
    over = true; // what was handed over is entered and checkpointed
    System.out.println("leaves " + shard);
  }

  private void checkpoint(RecordProcessorCheckpointer checkpointer, KinesisClientRecord record) {
    try {
      checkpointer.checkpoint(record.sequenceNumber(), record.subSequenceNumber());
    } catch (ShutdownException e) {
      over = true; // the lease is another's
    } catch (Exception e) {
      // The next one covers it. An exception thrown on would make the library skip the records.
      System.out.println("could not checkpoint " + shard + ": " + e);
    }
  }
}
