"""What the machine has, asked of the real system; the GPU's driver is imitated only where there is no GPU."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from core import hardware


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """The driver is opened once for a process; here once for a test."""
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    hardware._start.cache_clear()
    yield
    hardware._start.cache_clear()


def real_gpus() -> int:
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return 0


no_gpu_here = pytest.mark.skipif(real_gpus() > 0, reason="there is a real GPU to ask")
gpu_here = pytest.mark.skipif(real_gpus() == 0, reason="no GPU here: the driver is imitated instead")


class Driver:
    """A hand-made NVML: two cards, the second of which tells almost nothing. The errors are the real classes."""

    NVMLError = pynvml.NVMLError
    NVMLError_LibraryNotFound = pynvml.NVMLError_LibraryNotFound
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NoPermission = pynvml.NVMLError_NoPermission
    NVMLError_Unknown = pynvml.NVMLError_Unknown
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, count: int = 2, fails: type[pynvml.NVMLError] | None = None):
        self.count, self.fails, self.opened = count, fails, 0

    def nvmlInit(self):  # noqa: N802
        self.opened += 1
        if self.fails:
            raise self.fails()

    def nvmlDeviceGetCount(self):  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, device):  # noqa: N802
        return f"GPU-{device}"

    def nvmlDeviceGetName(self, device):  # noqa: N802
        return ("NVIDIA GeForce RTX 4090", "NVIDIA GB10")[device]

    def nvmlDeviceGetComputeRunningProcesses(self, device):  # noqa: N802
        return [SimpleNamespace(pid=77, usedGpuMemory=1000 + device), SimpleNamespace(pid=78, usedGpuMemory=None)]

    def __getattr__(self, name):
        answers = {
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=24_000, used=4_000, free=20_000),
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0, memory=0),
            "nvmlDeviceGetTemperature": 41,
            "nvmlDeviceGetPowerUsage": 123_456,
            "nvmlDeviceGetCudaComputeCapability": (8, 9),
        }

        def answer(device, *_):
            if device == 1:
                raise pynvml.NVMLError_NotSupported()
            return answers[name]

        return answer


@pytest.fixture
def driver(monkeypatch):
    """Put a hand-made driver in the place of the real one."""

    def install(**how) -> Driver:
        monkeypatch.setitem(sys.modules, "pynvml", Driver(**how))
        return sys.modules["pynvml"]

    return install


@no_gpu_here
def test_a_gpu_is_told_as_the_driver_tells_it(driver):
    driver()
    first, second = hardware.gpus()
    assert (first.index, first.uuid, first.name) == (0, "GPU-0", "NVIDIA GeForce RTX 4090")
    assert (first.memory_total, first.memory_used, first.memory_free) == (24_000, 4_000, 20_000)
    assert (first.capability, first.utilisation, first.temperature, first.power) == ((8, 9), 0, 41, 123.456)
    assert (second.capability, second.utilisation, second.temperature, second.power) == (None, None, None, None)


@no_gpu_here
def test_a_gpu_that_shares_the_main_memory_has_that_much(driver):
    driver()
    assert hardware.gpus()[1].memory_total == hardware.memory().total


@no_gpu_here
def test_the_memory_of_a_process_is_its_sum_on_all_gpus(driver):
    driver()
    assert hardware.memory_used_by(77) == 2001
    assert hardware.memory_used_by(78) is None
    assert hardware.memory_used_by(79) is None


@no_gpu_here
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"fails": pynvml.NVMLError_LibraryNotFound}, "This machine has no NVIDIA driver."),
        ({"fails": pynvml.NVMLError_DriverNotLoaded}, "The NVIDIA driver does not answer: Driver Not Loaded."),
        ({"count": 0}, "The NVIDIA driver is there, but it sees no GPU."),
    ],
)
def test_without_a_gpu_there_is_a_reason(driver, how, words):
    driver(**how)
    assert hardware.gpus_or_reason() == ([], words)
    assert hardware.memory_used_by(os.getpid()) is None


@no_gpu_here
def test_a_gpu_that_fell_off_the_bus_is_a_reason_and_no_crash(driver, monkeypatch):
    def lost(*indices):
        def handle(index):
            if index in indices:
                raise pynvml.NVMLError_GpuIsLost()
            return index

        monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetHandleByIndex", handle)

    driver()
    lost(0)
    assert [gpu.index for gpu in hardware.gpus()] == [1]
    assert hardware.memory_used_by(77) == 1001
    lost(0, 1)
    assert hardware.gpus_or_reason() == ([], "The NVIDIA driver does not answer: GPU is lost.")
    assert hardware.memory_used_by(77) is None


@no_gpu_here
def test_without_the_package_the_reason_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found, reason = hardware.gpus_or_reason()
    assert found == []
    assert "pip install nvidia-ml-py" in reason


@no_gpu_here
def test_the_driver_is_opened_once_however_often_the_meter_looks(driver):
    imitated = driver()
    for _ in range(5):
        hardware.gpus()
    assert imitated.opened == 1


@no_gpu_here
def test_this_machine_says_that_it_has_no_gpu():
    found, reason = hardware.gpus_or_reason()
    assert found == []
    assert reason.startswith(("This machine has no NVIDIA driver", "The NVIDIA driver"))


@gpu_here
def test_the_real_gpus_are_those_of_nvidia_smi():
    wanted = "--query-gpu=uuid,name,memory.total"
    shown = subprocess.check_output(["nvidia-smi", wanted, "--format=csv,noheader,nounits"], text=True)
    rows = [line.split(", ") for line in shown.splitlines()]
    assert [[gpu.uuid, gpu.name] for gpu in hardware.gpus()] == [row[:2] for row in rows]
    for gpu, row in zip(hardware.gpus(), rows, strict=True):
        assert gpu.memory_total == pytest.approx(int(row[2]) * 2**20, rel=0.02)
        assert gpu.memory_used + gpu.memory_free <= gpu.memory_total
        assert gpu.capability


def test_the_memory_is_the_machines():
    found = hardware.memory()
    assert 0 < found.available <= found.total <= psutil.virtual_memory().total


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Control groups made of plain files, as the kernel shows them."""
    monkeypatch.setattr(hardware, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(hardware, "_OWN_CGROUP", tmp_path / "own")

    def make(own: str, folder: str, **files: object) -> None:
        (tmp_path / "own").write_text(own)
        (tmp_path / "cgroup" / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (tmp_path / "cgroup" / folder / name.replace("__", ".")).write_text(f"{content}\n")

    return make


def test_the_limit_of_a_batch_system_above_us_counts(group):
    group("0::/slurm/job_7/step_0\n", "slurm/job_7/step_0", memory__max="max", memory__current=5, memory__stat="")
    stat = "anon 100\ninactive_file 300"
    group("0::/slurm/job_7/step_0\n", "slurm/job_7", memory__max=5000, memory__current=1000, memory__stat=stat)
    assert hardware.memory() == hardware.Memory(total=5000, available=4300)


def test_the_limit_of_an_older_container_counts(group):
    files = {"memory__limit_in_bytes": 7000, "memory__usage_in_bytes": 2000, "memory__stat": "total_inactive_file 500"}
    group("9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n", "memory", **files)
    assert hardware.memory() == hardware.Memory(total=7000, available=5500)


def test_no_limit_means_the_whole_machine(group):
    files = {"memory__limit_in_bytes": 2**63 - 4096, "memory__usage_in_bytes": 2000, "memory__stat": ""}
    group("4:memory:/\n", "memory", **files)
    assert hardware.memory().total == psutil.virtual_memory().total


def test_the_memory_of_a_process_follows_what_it_holds():
    code = "import sys; x = b'1' * 60_000_000; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 60e6 < hardware.process_memory(process.pid) < 160e6
        process.stdin.close()
        process.wait()
        assert hardware.process_memory(process.pid) is None


def test_the_free_disk_is_that_of_a_folder_still_to_be_made(tmp_path):
    free = hardware.disk_free(tmp_path / "not" / "yet" / "there")
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, abs=50e6)
    assert hardware.disk_free(Path("~")) > 0
