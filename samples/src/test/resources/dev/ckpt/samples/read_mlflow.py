"""Prints what MLflow's own client finds of the newest run: read_mlflow.py URI"""

import os
import sys

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from mlflow import MlflowClient

client = MlflowClient(sys.argv[1])
experiments = [each.experiment_id for each in client.search_experiments()]
run = client.search_runs(experiments, order_by=["attributes.start_time DESC"])[0]
print("run", run.info.run_name, run.info.status)
own = {name: value for name, value in run.data.params.items() if "." not in name}
print("params", " ".join(f"{name}={own[name]}" for name in sorted(own)))
for name in sorted(run.data.metrics):
    history = client.get_metric_history(run.info.run_id, name)
    print(name, "at", ", ".join(str(step) for step in sorted({each.step for each in history})))
steps = {each.model_id: each.step for each in run.outputs.model_outputs}
for model in client.search_logged_models(experiments):
    if model.source_run_id == run.info.run_id:
        values = " ".join(sorted({metric.key for metric in model.metrics}, reverse=True))
        print("model", model.name, model.status.value, "of step", f"{steps[model.model_id]},", values)
        print("  ", sorted(each.path for each in client.list_logged_model_artifacts(model.model_id)))
