"""Each script of examples runs, alone or under mpirun by its name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(p.stem for p in EXAMPLES.glob("*.py") if not p.name.startswith("_"))
SECONDS = 120

# What Open MPI and MPICH need to start as root, with more ranks than cores.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
}


def run(name, cwd, *arguments, ranks=None):
    """Run a script in ``cwd``, warnings as errors, and return what it printed."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    if ranks is not None:
        mpirun = Path(sys.executable).with_name("mpirun")
        command = [str(mpirun), "-n", str(ranks), *command]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **MPI},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()  # which mpirun hands on to its ranks
            out, err = process.communicate(timeout=30)
            pytest.fail(f"{name} took more than {SECONDS} s:\n{out}\n{err}")
    assert process.returncode == 0, f"{out}\n{err}"
    return out


def check_residual(out, picture, ranks):
    """Check what linear_regression_spmd printed, and its picture."""
    assert f"ranks: {ranks}\n" in out
    assert "rows: 215222 to fit, 53806 to test, 72 columns" in out
    # What scikit-learn alone reaches on these rows is 0.956.
    assert float(re.search(r"R2 .*: (\S+)", out)[1]) > 0.95
    assert float(re.search(r"relative difference .*: (\S+)", out)[1]) < 1e-9
    with Image.open(picture) as image:
        image.load()
        # china.jpg has 640 x 427 pixels; the first four of each way have no window.
        assert (image.format, image.mode, image.size) == ("PNG", "L", (636, 423))
        assert image.getextrema()[0] < 128 < image.getextrema()[1]


# Below, with their words.
CHECKED = (
    "basic_statistics_spmd",
    "covariance_spmd",
    "elastic_net",
    "incremental_basic_statistics",
    "incremental_covariance",
    "incremental_covariance_spmd",
    "incremental_linear_regression",
    "incremental_pca",
    "kmeans_cuda",
    "kmeans_spmd",
    "linear_regression_cuda_spmd",
    "linear_regression_spmd",
    "logistic_regression_spmd",
    "pca_spmd",
    "pipeline",
    "qr_spmd",
    "ridge_regression_spmd",
    "svd_spmd",
    "truncated_svd_spmd",
)


@pytest.mark.parametrize("name", [s for s in SCRIPTS if s not in CHECKED])
def test_every_script_runs(name, tmp_path):
    assert run(name, tmp_path, ranks=2 if name.endswith("_spmd") else None).strip()


def test_two_ranks_fit_as_one_machine_and_draw_the_residual(tmp_path):
    out = run("linear_regression_spmd", tmp_path, ranks=2)
    check_residual(out, tmp_path / "linear_regression_residual.png", 2)


def test_without_mpirun_a_script_is_one_rank(tmp_path):
    out = run("linear_regression_spmd", tmp_path, "mine.png")
    check_residual(out, tmp_path / "mine.png", 1)


def test_batch_and_scikit_learn_score_the_same(tmp_path):
    out = run("linear_regression", tmp_path)
    scores = re.findall(r"R2 on the test rows (\S+), of cross-validation (\S+),", out)
    assert len(scores) == 2
    ours, theirs = ([float(score) for score in line] for line in scores)
    assert ours == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("ranks", [None, 3])
def test_components_of_patches_are_those_of_one_machine(tmp_path, ranks):
    out = run("pca_spmd", tmp_path, "mine.png", ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "rows: 265860, 192 columns" in out
    shares = [float(share) for share in re.findall(r"explained by .*: (\S+)", out)]
    assert shares == sorted(shares)
    assert 0.96 < shares[-1] < 1  # as scikit-learn alone explains with 24
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9
    with Image.open(tmp_path / "mine.png") as image:
        image.load()
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (640, 240))
        assert all(low < 128 < high for low, high in image.getextrema())


@pytest.mark.parametrize("ranks", [None, 3])
def test_colours_of_a_photograph_are_those_of_one_machine(tmp_path, ranks):
    out = run("kmeans_spmd", tmp_path, "mine.png", ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "pixels: 273280, in 32 colours" in out
    rounds = {int(n) for n in re.findall(r"(\d+) rounds", out)}
    assert len(rounds) == 1  # of ranks, of one machine, of scikit-learn
    apart = [float(n) for n in re.findall(r"(?:apart|centers) (\d\S*\d)", out)]
    assert len(apart) == 4
    assert max(apart) < 1e-9
    with Image.open(tmp_path / "mine.png") as image:
        image.load()
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (1280, 427))
        before, after = (image.crop((x, 0, x + 640, 427)) for x in (0, 640))
        assert len(before.getcolors(640 * 427)) > 32 >= len(after.getcolors(640 * 427))
        difference = ImageChops.difference(before, after)
        assert max(ImageStat.Stat(difference).rms) < 30  # of 255


@pytest.mark.parametrize("ranks", [None, 3])
def test_photographs_are_told_apart_as_on_one_machine(tmp_path, ranks):
    out = run("logistic_regression_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "rows: 107610 to fit, 26904 to test, 72 columns" in out
    ours, theirs = (float(part) for part in re.findall(r"accuracy .*: (\S+)", out))
    assert ours == pytest.approx(theirs, abs=2e-4)
    assert ours > 0.75  # guessing would be right for half
    assert float(re.search(r"from scikit-learn, relative: (\S+)", out)[1]) < 1e-6


def test_a_pipeline_chooses_and_scores_as_scikit_learns(tmp_path):
    out = run("pipeline", tmp_path)
    (ours, ours_best), (theirs, their_best) = re.findall(r"rows (\S+), ({.*})", out)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-8)
    assert ours_best == their_best
    assert out.count("predicts the same: True") == 2
    assert "pca0, pca1" in out


@pytest.mark.parametrize("ranks", [None, 3])
def test_factors_of_a_photograph_bring_the_line_of_one_machine(tmp_path, ranks):
    out = run("qr_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "rows: 269028, 72 columns" in out
    assert float(re.search(r"orthonormal but for: (\S+)", out)[1]) < 1e-13
    assert float(re.search(r"from the rows: (\S+)", out)[1]) < 1e-13
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9


@pytest.mark.parametrize("ranks", [None, 4])
def test_a_photograph_of_few_singular_values_loses_the_least(tmp_path, ranks):
    out = run("svd_spmd", tmp_path, "mine.png", ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert float(re.search(r"orthonormal but for: (\S+)", out)[1]) < 1e-13
    lost, least = re.search(r"lost: (\S+), as little as can be: (\S+)\n", out).groups()
    assert lost == least
    assert float(re.search(r"from NumPy: (\S+)", out)[1]) < 1e-13
    with Image.open(tmp_path / "mine.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (640, 427))
        assert all(low < 128 < high for low, high in image.getextrema())


@pytest.mark.parametrize("ranks", [None, 3])
def test_leading_vectors_of_patches_are_those_of_one_machine(tmp_path, ranks):
    out = run("truncated_svd_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    kept, lost = (float(part) for part in re.findall(r"part .*: (\S+)", out))
    assert kept + lost == pytest.approx(1, abs=2e-6)
    assert 0.9 < kept < 1
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9


@pytest.mark.parametrize("ranks", [None, 3])
def test_the_penalty_of_all_ranks_is_that_of_one_machine(tmp_path, ranks):
    out = run("ridge_regression_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    scores = [float(score) for score in re.findall(r"other rows (\S+)", out)]
    assert len(scores) == 5
    assert max(scores) > 0.95
    assert "best alpha: 0.1\n" in out
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9


def test_elastic_nets_are_scikit_learns(tmp_path):
    out = run("elastic_net", tmp_path)
    found = re.findall(r"R2 (\S+), (\d+) columns, (\d+) rounds", out)
    (ours, *counts), (theirs, *expected) = found
    assert float(ours) == pytest.approx(float(theirs), rel=1e-8)
    assert counts == expected
    columns = [
        line.split(": ")[1].split() for line in out.splitlines() if "gap" in line
    ]
    assert columns[0] == ["nothing"]
    assert len(columns[-1]) > len(columns[1])


def test_a_line_of_batches_is_that_of_all_rows(tmp_path):
    out = run("incremental_linear_regression", tmp_path)
    assert "269028 rows" in out
    assert "rank 72" in out
    assert float(re.search(r"all rows at once: (\S+)", out)[1]) < 1e-9
    assert float(re.search(r"over the line's: (\S+)", out)[1]) < 1


@pytest.mark.parametrize("ranks", [None, 3])
def test_statistics_of_colours_are_numpys(tmp_path, ranks):
    out = run("basic_statistics_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "pixels: 273280, in 3 channels" in out
    assert len(re.findall(r"^\w+(?: +\d+\.\d{3}){3}$", out, re.M)) == 10
    near, far = (float(n) for n in re.findall(r"deviation.*: (\S+)", out))
    assert near < 1e-9
    assert far < 1e-9


@pytest.mark.parametrize("ranks", [None, 3])
def test_the_covariance_of_patches_is_that_of_one_machine(tmp_path, ranks):
    out = run("covariance_spmd", tmp_path, ranks=ranks)
    assert f"ranks: {ranks or 1}\n" in out
    assert "rows: 265860, 192 columns" in out
    assert float(re.search(r"number of columns: (\S+)", out)[1]) == 192
    assert "farthest patch: row 75, column 183" in out  # as of scikit-learn
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9


def test_a_stream_of_pixels_is_all_pixels(tmp_path):
    out = run("incremental_basic_statistics", tmp_path)
    assert int(re.search(r"as a pickle: (\d+) bytes", out)[1]) < 2000
    assert "273280 pixels" in out
    apart = [float(n) for n in re.findall(r"all at once (\S+)", out)]
    assert len(apart) == 2
    assert max(apart) < 1e-9


def test_components_of_batches_are_those_of_all_rows(tmp_path):
    out = run("incremental_pca", tmp_path)
    assert "rows: 265860, 192 columns" in out
    assert float(re.search(r"all rows at once: (\S+)", out)[1]) < 1e-9


def test_the_covariance_of_batches_is_that_of_all_rows(tmp_path):
    out = run("incremental_covariance", tmp_path)
    assert (
        len(re.findall(r"rows: log-likelihood of the next -?\d+\.\d$", out, re.M)) == 7
    )
    assert "rows: 265860, 192 columns" in out
    assert float(re.search(r"all rows at once: (\S+)", out)[1]) < 1e-9


@pytest.mark.parametrize("ranks", [None, 3])
def test_the_covariance_of_batches_on_ranks_is_that_of_one_machine(tmp_path, ranks):
    out = run("incremental_covariance_spmd", tmp_path, ranks=ranks)
    assert f"batches of each: {[3, 3, 6] if ranks else [12]}" in out
    assert "rows: 265860, 192 columns" in out
    assert float(re.search(r"from scikit-learn: (\S+)", out)[1]) < 1e-9


@pytest.mark.parametrize("ranks", [None, 2])
def test_without_a_gpu_there_is_nothing_to_show(tmp_path, ranks):
    name = "linear_regression_cuda_spmd" if ranks else "kmeans_cuda"
    out = run(name, tmp_path, ranks=ranks)
    if "nothing to show" not in out:  # there is a GPU
        assert float(re.search(r"apart.* (\S+)$", out, re.M)[1]) < 1e-4
