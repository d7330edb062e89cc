package dev.ckpt.cli;

import dev.ckpt.Checkpoints;
import dev.ckpt.ConfigException;
import dev.ckpt.mlflow.MlflowRuns;
import dev.ckpt.mlflow.MlflowSettings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "mlflow",
    description = {
      "sync publishes what waits for an MLflow server, then makes the server show what the store"
          + " holds. Once or often: nothing is published twice.",
      "promote ID makes a version of a checkpoint in the registry, and lets an alias stand for it;"
          + " the checkpoint is pinned.",
      "The server is --tracking-uri, else CKPT_MLFLOW_TRACKING_URI, else MLFLOW_TRACKING_URI, else"
          + " the one that the training named. Credentials come from MLFLOW_TRACKING_USERNAME and"
          + " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
      "The run is that of the training, whatever MLFLOW_RUN_ID or MLFLOW_EXPERIMENT_NAME say here;"
          + " they count for a run that no server has shown yet.",
      "Beside a training that publishes, sync ends with 5; promote works as soon as the run's page"
          + " shows the checkpoint, and ends with 5 until then."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt mlflow sync",
      "  ckpt mlflow sync --tracking-uri http://127.0.0.1:5000",
      "  ckpt mlflow promote 'best(validate_accuracy)' --alias best",
      "  ckpt mlflow promote latest --alias candidate --name digits"
    })
final class MlflowCommand extends StoreCommand {

  /** What is done. */
  enum Action {
    sync,
    promote
  }

  @Parameters(index = "0", paramLabel = "ACTION", description = "sync or promote.")
  private Action action = Action.sync;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "ID",
      defaultValue = "",
      showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER,
      description = "Which checkpoint is promoted.")
  private String id = "";

  @Option(
      names = "--tracking-uri",
      paramLabel = "URI",
      defaultValue = "",
      showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER,
      description = "The server.")
  private String trackingUri = "";

  @Option(
      names = "--alias",
      paramLabel = "ALIAS",
      defaultValue = "best",
      description = "What the version is called: ${DEFAULT-VALUE}.")
  private String alias = "best";

  @Option(
      names = "--name",
      paramLabel = "NAME",
      defaultValue = "",
      showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER,
      description = "The registered model: the run's name, unless given.")
  private String name = "";

  @Option(
      names = "--json",
      description =
          "One JSON document: {\"events\", \"refused\", \"removed\", \"dropped\", \"page\"}, or"
              + " {\"name\", \"version\", \"alias\", \"model\", \"checkpoint\", \"page\"}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    if (action == Action.promote && id.isEmpty()) {
      throw wrong("which checkpoint? ckpt mlflow promote ID");
    }
    if (action == Action.sync && !id.isEmpty()) {
      throw wrong("sync publishes the whole run: leave '" + id + "' out");
    }
    String run = place.run();
    MlflowSettings settings = settings(console);
    return action == Action.sync
        ? sync(place, run, settings, console)
        : promote(place, run, settings, console);
  }

  private MlflowSettings settings(Console console) {
    try {
      MlflowSettings settings = MlflowRuns.settings(console.environment);
      return trackingUri.isEmpty() ? settings : settings.withTrackingUri(trackingUri);
    } catch (ConfigException e) {
      throw new Problem(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  private int sync(Place place, String run, MlflowSettings settings, Console console) {
    MlflowRuns.Synced done = MlflowRuns.sync(place.store(), run, settings, console.environment);
    if (json) {
      new Json()
          .put("events", done.events())
          .put("refused", done.refused().size())
          .put("removed", done.removed())
          .put("dropped", done.dropped())
          .put("page", done.page())
          .print(console);
    } else {
      console.out.println(
          "run '"
              + run
              + "': published "
              + done.events()
              + " event(s)"
              + (done.removed() == 0
                  ? ""
                  : ", removed " + done.removed() + " model(s) of checkpoints that are gone")
              + ": "
              + done.page());
    }
    for (String each : done.refused()) {
      console.say("not published, and tried again by the next sync: " + each);
    }
    if (done.dropped() > 0) {
      console.say(
          done.dropped()
              + " event(s) were dropped by the full outbox, or could not be read: values of"
              + " checkpoints that are gone are missing");
    }
    return done.refused().isEmpty() ? Exit.FINE : Exit.STORE;
  }

  private int promote(Place place, String run, MlflowSettings settings, Console console) {
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    MlflowRuns.Promoted done =
        MlflowRuns.promote(
            place.store(),
            run,
            meant,
            name.isEmpty() ? run : name,
            alias,
            settings,
            console.environment);
    if (json) {
      new Json()
          .put("name", done.name())
          .put("version", done.version())
          .put("alias", alias)
          .put("model", done.model())
          .put("checkpoint", meant)
          .put("page", done.page())
          .print(console);
    } else {
      console.out.println(
          "promoted and pinned "
              + meant
              + ": "
              + done.name()
              + " version "
              + done.version()
              + ", alias "
              + alias
              + "; resume: mlflow:"
              + done.model());
    }
    return Exit.FINE;
  }
}
