"""The generator as its users hold it: fit, sample, save, load, export."""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.disclosure import drawn_in
from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.noise import check_number, persons_of_rows, pick_labels, row_noise
from ecgsynth.core.records import to_json
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export.cards import card_of
from ecgsynth.export.joining import Joiner
from ecgsynth.models import registry
from ecgsynth.models.columns.columns import Columns
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.model import Space, WindowConfig, WindowGenerator
from ecgsynth.training.about import About, TrainingInfo, describe, limits, with_rules
from ecgsynth.training.checks import check_classes, chosen_model, with_classes_of
from ecgsynth.training.devices import pick_device
from ecgsynth.training.job import Job, Progress, announce
from ecgsynth.training.loop import fit
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.training.selection import validation_score
from ecgsynth.windows.windows import Windows

__all__ = ["MIN_CLASS", "Synthesizer"]

MIN_CLASS = 10  # training windows below which a class is one person's rather than a class
MEASURED = ("split", "utility", "fidelity", "privacy", "audit")  # parts of a report that the manifest of a file has


class Synthesizer:
    """A generator of windows, the space it works in, and what is known of its training."""

    def __init__(self, space: Space, generator: WindowGenerator, about: About) -> None:
        self.config: WindowConfig = generator.config
        self.sampler = SignalSampler(generator, space, limits(about.data)).eval()
        self.space = space
        self.about = about
        self.joiner = Joiner(about.data, generator.config.noise_dim, self._of_classes)

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @classmethod
    def fit(
        cls,
        windows: Windows,
        run: Path | str | None = None,
        *,
        model: str | None = None,
        level: str | None = None,
        training: TrainConfig | None = None,
        config: Mapping[str, Any] | None = None,
        min_class: int = MIN_CLASS,
        source: str | None = None,
        device: str = "auto",
        resume: bool = False,
        force: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        began: float | None = None,
    ) -> Self:
        """Train on the training part of ``windows`` and choose the best step on the validation part.

        Parameters
        ----------
        windows
            Split into parts (ecgsynth.windows.splits.split).
        run
            The run folder to make, by which a training that was stopped goes on; without it nothing is left on disk.
        model
            A name of ecgsynth.models.registry; by default "people" for a signal of known persons, else "rwgan".
        level
            "internal" learns from the windows themselves, for use where they may be used ("rwgan" by default);
            "controlled" or "public" insists on a generator of people. What a file has earned is measured
            (ecgsynth.audit), whatever is asked for here.
        training
            Steps or budget, seed and more; by default a budget of 20 minutes.
        config
            Settings of the model by hand, such as {"hidden": 64}; others follow from the windows.
        min_class
            Training windows that a class needs. Lower it for experiments only: a class of a few windows is learnt as
            those windows.
        source
            What an exported file says of where the windows are from; by default their own source where that is a
            public database.
        device
            "auto", "cpu", "cuda" or "mps".
        resume, force
            Go on with a stopped run, with the same settings; or replace what is in the way.
        on_progress
            Called after every step.
        began
            When the whole work began, by time.monotonic; a budget counts from there.

        Raises
        ------
        DataError
            For a class with fewer than ``min_class`` training windows, or of too few persons. (A generator of people
            leaves such classes out; ``about.data.private.left_out`` names them.)
        ConfigError
            For invalid settings, or that differ from those of the run.
        ArtifactError
            For a folder in the way.
        TrainingDivergedError
            On a loss that ran away.

        """
        began = time.monotonic() if began is None else began
        training = training or TrainConfig()
        if run is None and resume:
            raise ConfigError("a training goes on in its run folder; name it to resume")
        with ExitStack() as left:
            if run is None:
                run = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="ecgsynth-"))) / "run"
            folder = RunFolder(Path(run))
            if not resume:
                check_free(folder.path, force=force)
            announce(on_progress, "finding the space", began)
            model = chosen_model(model, level, windows)
            trained = registry.entry(model)
            windows, left_out = with_classes_of(trained, windows)
            learn, check = windows.part("train"), windows.part("validation")
            check_classes(learn, check, min_class)
            data = describe(
                windows,
                learn,
                source,
                folder.digest(learn.fingerprint(), resume=resume),
                by_person=trained.populations is not None,
                left_out=left_out,
            )
            columns = Columns.find(learn)
            data = with_rules(data, columns)
            about = About(data=data, training=TrainingInfo(model=model, config=training))
            if learn.is_series:  # its means, spreads and components are published, and weights learn it
                values = drawn_in(learn.values, learn.owners, repeats=max(1, learn.overlap))
                learn = dataclasses.replace(learn, values=values)
            chosen = pick_device(device)
            plan = trained.plan_columns(learn, columns, config or {}, training.seed)
            folder.begin(contents(plan.config, about), resume=resume, force=force)  # the last to refuse
            plan.space.save(folder.scaler)
            job = Job(
                config=training,
                run=folder,
                score=validation_score(learn, check, plan.space, limits(data), score_space=plan.score_space),
                device=chosen,
                on_progress=on_progress,
                began=began,
            )
            outcome = fit(trained.builder(plan, training, learn, chosen), job)
            write_json(folder.metrics, to_json(outcome))
            return cls.load(folder.path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """The best generator of a run folder, finished or not.

        Raises
        ------
        ArtifactError
            For a folder that holds no generator of windows, or an incomplete one.

        """
        folder = RunFolder(Path(run))
        content = folder.read_config()
        name = content.get("training", {}).get("model")
        if name not in registry.names():
            raise ArtifactError(
                f"{folder.path} holds a model {name!r}; expected one of {', '.join(registry.names())}, "
                "see 'ecgsynth train --help'"
            )
        try:
            settings, about = dict(content["config"]), About.from_json(content, {})
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder.config} is incomplete ({error}); train again") from error
        model = registry.entry(name)
        generator, space = model.restore(settings), model.read_space(folder.scaler)
        return cls(space, generator, about.with_metrics(folder.load_best(generator)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the labels' codes."""
        return self.about.data.class_names

    def _of_classes(self, rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], Any]:
        """Windows (n, time, channels) of these classes, and what is made beside them."""
        return draw(self.sampler, labels, seed, start=rows.start)

    def windows(
        self,
        n: int,
        label: str | None = None,
        seed: int = 0,
        people: int | Sequence[int] | None = None,
        *,
        length: int | None = None,
        history: Any = None,
    ) -> Windows:
        """Synthetic windows, row for row those of the exported file.

        Parameters
        ----------
        n
            How many.
        label
            Their class; by default classes are drawn in the training shares.
        seed
            The same seed gives the same windows.
        people
            Of a generator of people: of so many people, in turn, or of those with these numbers, which are then the
            windows' ``groups``. Without it, every window is of another person.
        length
            Of a series, n long ones of so many rows instead of n windows.
        history
            Of a series, a data frame or a table's path with the columns that were learnt from: go on from its last rows
            (of several sequences, in turn), for ``length`` rows or a window's.

        Raises
        ------
        ConfigError
            For fewer than one window, an unknown class, people of a generator that makes none, or a length or history
            of one that makes no series.
        DataError
            For a history of other columns, too few rows, or missing values in the last ones.

        """
        data = self.about.data
        if length is not None or history is not None:
            return self.joiner.windows(self.joiner.want(n, length, data.code(label=label), seed, history, people))
        check_number(n, "windows")
        if people is not None and not self.sampler.generator.person_dim:
            raise ConfigError("this generator makes windows that are nobody's, not people; leave out people")
        persons = persons_of_rows(range(n), people)
        code = data.code(label=label)
        if code is None:
            shares = np.asarray([entry.share for entry in data.classes])
            labels = pick_labels(row_noise(seed, range(n), self.config.noise_dim).label, shares)
        else:
            labels = np.full(n, code, dtype=np.int64)
        values, beside = draw(self.sampler, labels, seed, persons=persons)
        known: dict[str, Any] = {} if self.sampler.beside is None else {self.sampler.beside: beside}
        return Windows.made(data, values, labels, persons=None if people is None else persons, seed=seed, **known)

    def sample(
        self,
        n: int,
        where: Mapping[str, Any] | str | None = None,
        seed: int = 0,
        *,
        label: str | None = None,
        people: int | Sequence[int] | None = None,
        length: int | None = None,
        history: Any = None,
    ) -> Any:
        """Synthetic windows in the form in which their like came; row for row those of the exported file.

        Parameters
        ----------
        n
            How many windows.
        where
            Their class, such as {"class": "V"} of beats, or by the label column of a series; by default classes are
            drawn in the training shares.
        seed
            The same seed gives the same windows.
        label
            A class, as in ``where``.
        people, length, history
            As of ``windows``.

        Returns
        -------
        Windows
            Of beats and other signals.
        pandas.DataFrame
            Of a series: a row for each step of each window (``windows`` gives its windows).

        Raises
        ------
        ConfigError, DataError
            As ``windows`` does.

        """
        data = self.about.data
        code = data.code(where, label)
        if length is not None or history is not None:
            return self.joiner.frame(self.joiner.want(n, length, code, seed, history, people))
        made = self.windows(n, None if code is None else data.class_names[code], seed, people)
        return made if data.series is None else made.to_frame()

    def save(self, run: Path | str, *, force: bool = False) -> None:
        """Write a run folder that ``load`` reads (without the history and the checkpoint of the training).

        Parameters
        ----------
        run
            The folder.
        force
            Replace what is in it.

        Raises
        ------
        ArtifactError
            For a folder that is not empty.

        """
        folder = RunFolder(Path(run))
        check_free(folder.path, force=force)
        folder.clear()
        folder.write_config(contents(self.config, self.about))
        self.space.save(folder.scaler)
        weights = {f"generator.{name}": value for name, value in self.sampler.generator.state_dict().items()}
        folder.write_tensors(folder.weights, weights, {})
        write_json(folder.metrics, self.about.metrics)

    def tell_measured(self, measured: Mapping[str, Any]) -> None:
        """Add what ``evaluate`` measured to what is known of the generator, and so to the manifest of its file.

        Raises
        ------
        ConfigError
            If the generator was measured against other data than it was trained on.

        """
        if not measured.get("same_training_part"):
            raise ConfigError(
                "the report does not say that the generator learnt from the windows it is compared with; evaluate it "
                "on those with --run, its run folder"
            )
        self.about = self.about.with_metrics({name: measured[name] for name in MEASURED if name in measured})

    def export(self, path: Path | str, *, force: bool = False) -> None:
        """Write one self-contained ONNX file, checked against torch.

        Parameters
        ----------
        path
            The .onnx file.
        force
            Replace a file that is there.

        Raises
        ------
        ArtifactError
            If the path is taken, or the graph differs from torch; nothing is written then.

        """
        from ecgsynth.export.windows_to_onnx import export_signal

        about = self.about.to_json()
        export_signal(
            self.sampler,
            Path(path),
            data=self.about.data,
            training=about["training"],
            metrics=about["metrics"],
            force=force,
        )


def contents(config: WindowConfig, about: About) -> dict[str, Any]:
    """What config.json says of a generator."""
    known = about.to_json()
    return {"config": config.to_json(), "data": known["data"], "training": known["training"]}
