"""Outputs of vendors' tools in the forms that they have, with values of our own, and what is to be read in each.

A figure is written as its value, or as (value, letter) where it is not believed; None is one that the tool does not have.
Every figure of every card is listed: what is not, must not be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MIB, GIB = 2**20, 2**30
RULE = "=" * 86


@dataclass(frozen=True)
class Form:
    """One output."""

    name: str
    text: str
    cards: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """By the tool's number, or by number, address and part."""
    faults: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


def hy(temperature: float, power: Any, cap: float, vram: float, busy: float, **more: Any) -> dict[str, Any]:
    return {
        "temperature": temperature,
        "power": power,
        "perf": "auto",
        "power_cap": cap,
        "memory_share": vram,
        "busy": busy,
    } | more


HYGON = (
    Form(
        "hy-smi: a table of driver 6.2 with the word DCU, and a ruler above",
        f"\n{'=' * 28} System Management Interface {'=' * 29}\n{RULE}\n"
        "DCU     Temp     AvgPwr     Perf     PwrCap     VRAM%      DCU%      Mode     \n"
        "0       48.5C    112.0W     auto     400.0W     3%         12.5%     Normal   \n"
        "1       50.0C    97.5W      auto     400.0W     0%         0.0%      Normal   \n"
        f"{RULE}\n{'=' * 35} End of SMI Log {'=' * 35}\n",
        {0: hy(48.5, 112.0, 400.0, 3.0, 12.5, mode="normal"), 1: hy(50.0, 97.5, 400.0, 0.0, 0.0, mode="normal")},
    ),
    Form(
        "hy-smi: a table with the word HCU, encoders and one card in MIG mode, without rulers",
        "HCU     Temp     AvgPwr     Perf     PwrCap     VRAM%      HCU%      Dec%      Enc%      Mode     \n"
        "0       58.0C    131.0W     auto     800.0W     14%        31.0%     0.0%      0.0%      Normal   \n"
        "1       55.5C    90.0W      auto     800.0W     16%        0.0%      0.0%      0.0%      MIG      \n",
        {0: hy(58.0, 131.0, 800.0, 14.0, 31.0, mode="normal"), 1: hy(55.5, 90.0, 800.0, 16.0, 0.0, mode="mig")},
    ),
    Form(
        "hy-smi: 8 W of 600 W under load is not believed, and power of an idle card is",
        f"{RULE}\nDCU     Temp     AvgPwr     Perf     PwrCap     VRAM%      DCU%      Mode\n"
        "0       61.0C    8.0W       manual   600.0W     86%        74%       Normal\n"
        "1       40.0C    25.0W      manual   600.0W     0%         0%        N/A\n",
        {
            0: hy(61.0, (8.0, "?"), 600.0, 86.0, 74.0, perf="manual", mode="normal"),
            1: hy(40.0, 25.0, 600.0, 0.0, 0.0, perf="manual", mode=None),
        },
    ),
    Form(
        "rocm-smi of an old DTK: one blank between columns, small c, a fan",
        "===================System Management Interface =================\n"
        "DCU Temp AvgPwr Fan Perf PwrCap VRAM% DCU%\n0 56.0c 51.5W 0.0% auto 300.0W 0% 0%\n1 55.0c 58.5W 0.0% auto 300.0W 7% 44% \n",
        {0: hy(56.0, 51.5, 300.0, 0.0, 0.0), 1: hy(55.0, 58.5, 300.0, 7.0, 44.0)},
    ),
    Form(
        "rocm-smi of an old DTK: clocks parted by one blank where other columns have two",
        "\nDCU  Temp   AvgPwr   SCLK    MCLK  Fan   Perf    PwrCap  VRAM%  DCU%  \n"
        "0    48.0c  23.5W   1300Mhz 800Mhz 0.0%  manual  450.0W    0%   0%    \n",
        {0: hy(48.0, 23.5, 450.0, 0.0, 0.0, perf="manual", clock_core=1300.0, clock_memory=800.0)},
    ),
    Form(
        "hy-smi --json before DTK 25.04: the word DCU, MiB in the key, a member without a name",
        '{\n    "card0":\n    {\n        "Device ID": "0x55b7",\n        "Card Series": "Z100L",\n        "Serial Number": "TX0001",\n'
        '        "Average Graphics Package Power (W)": "38.5",\n        "Temperature (Sensor edge) (C)": "39.0",\n'
        '        "Temperature (Sensor mem) (C)": "37.5",\n        "": "",\n        "": "",\n        "DCU use (%)": "6.5",\n'
        '        "vram Total Memory (MiB)": "32752",\n        "vram Total Used Memory (MiB)": "2"\n    }\n}',
        {
            0: {
                "power": 38.5,
                "temperature_edge": 39.0,
                "temperature_memory": 37.5,
                "busy": 6.5,
                "memory_total": 32752.0 * MIB,
                "memory_used": 2.0 * MIB,
            }
        },
    ),
    Form(
        "hy-smi --json of driver 6.3: commas missing between powers, clock levels beside speeds, words beside numbers",
        '{"card0": {"Card Series": "BW", "Average Graphics Package Power (W)": "91.0""Average GFX Core Power (W)": "25.0"'
        '"Average Memory Power (W)": "33.0", "Temperature (Sensor core) (C)": "58.5", "HCU use (%)": "0.0", '
        '"HCU memory use (%)": "94", "mclk clock level": "0", "mclk clock speed": "1800Mhz", "sclk clock level": "7", '
        '"sclk clock speed": "1500Mhz", "": "", "": "", "pcie clock speed": "32.0GT/s, x16 1900Mhz"}, '
        '"card1": {"Average Graphics Package Power (W)": "N/A", "HCU use (%)": "11.0"}}',
        {
            0: {
                "power": 91.0,
                "temperature_core": 58.5,
                "busy": 0.0,
                "memory_use": 94.0,
                "clock_memory": 1800.0,
                "clock_core": 1500.0,
            },
            1: {"power": None, "busy": 11.0},
        },
    ),
    Form(
        "hy-smi --json: several documents, one for each flag; an address beside a serial number",
        '# hy-smi --showbus --json\n{"card0": {"PCI Bus": "0000:0A:00.0 --> SN: 01-77 --> OAM ID: 1"}}\n'
        '# hy-smi --showmeminfo vram --json\n{"card0": {"vram Total Memory (MiB)": "65520", "vram Total Used Memory (MiB)": "900"}}\n',
        {(0, "0000:0a:00.0", 0): {"memory_total": 65520.0 * MIB, "memory_used": 900.0 * MIB}},
    ),
    Form("hy-smi --json cut off", '{"card0": {"HCU use (%)": "1.0", "Average', {}, ("json-broken",)),
    Form(
        "hy-smi --json where a member has two values",
        '{"card0": {"HCU use (%)": "1.0", "HCU use (%)": "9.0"}}',
        {},
        ("json-broken",),
    ),
    Form(
        "hy-smi, a line for each figure: shares of the last second are not the use at an instant",
        "HCU[3]\t\t: Average Graphics Package Power (W): 410.5\nHCU[3]\t\t: HCU use (%): 83.0\n"
        "HCU[3]\t\t: sclk clock level: 3 (1700Mhz)\nHCU[3]\t\t: HCU util in last second : 93%\n"
        "HCU[3]\t\t: CU util in last second : 64%\nHCU[3]\t: Temperature (Sensor junction) (C): 61.5\n"
        "HCU[3]\t: Performance Level: auto\nHCU[3]\t: Bandwidth: | R: 144000.5 MB/s | W: 58000.1 MB/s\n",
        {
            3: {
                "power": 410.5,
                "busy": 83.0,
                "clock_core": 1700.0,
                "busy_1s": 93.0,
                "cu_busy_1s": 64.0,
                "temperature_junction": 61.5,
                "perf": "auto",
            }
        },
    ),
    Form(
        "hy-smi --showmemavailable",
        "HCU[0]          : Available memory size (MiB): 61000\nHCU[1]          : Available memory size (MiB): 500\n",
        {0: {"memory_free": 61000.0 * MIB}, 1: {"memory_free": 500.0 * MIB}},
    ),
    Form(
        "rocm-smi of DTK --csv: a blank line first, cards from 1",
        "\ndevice,DCU use (%),DCU memory use (%)\ncard1,0,0\ncard2,55,12\n",
        {1: {"busy": 0.0, "memory_use": 0.0}, 2: {"busy": 55.0, "memory_use": 12.0}},
    ),
    Form(
        "hy-smi --healthcheck has the address",
        "HCU[0]          : Bus Id : 0000:09:00.0         : Healthy\n",
        {(0, "0000:09:00.0", 0): {}},
    ),
    Form(
        "hy-smi --showpids with a process",
        "PIDs for KFD processes:\n\nPID: 4711\n\tHCU Index: ['1'] \n\tVRAM USED(MiB): 9500\n",
        {},
        ("processes",),
    ),
    Form("hy-smi --showpids without one", f"{RULE}\nPIDs for KFD processes:\n\n{RULE}\n", {}, ("processes",)),
    Form("hy-smi --showpids with a message", "No KFD PIDs currently running!\n", {}, ("processes",)),
    Form(
        "hy-smi --showtoponuma --json",
        '{"card0":{"(Topology) Numa Node":"0","(Topology) Numa Affinity":"-1"}}',
        {},
        ("no-figures",),
    ),
    Form("hy-smi --showproductname", "HCU[0]          : Card Series:           K100_AI\n", {}, ("no-figures",)),
    Form("hy-smi --showdriverversion", "Driver Version: 6.3.31-V1.5.0a\n", {}, ("unknown-form",)),
    Form(
        "a table whose row has a cell too few",
        "DCU     Temp     AvgPwr     Perf\n0       48.0C    auto\n",
        {},
        ("row-unlike-header",),
    ),
    Form(
        "a table with a cell in a strange unit",
        "DCU     Temp     AvgPwr     Perf\n0       48.0C    17V        auto\n",
        {0: {"temperature": 48.0, "perf": "auto"}},
        ("unreadable",),
    ),
)

AMD = (
    Form(
        "rocm-smi 6.1: a cell with several blanks, which sensor in a second header",
        "Device  Node  IDs              Temp    Power  Partitions          SCLK  MCLK   Fan    Perf    PwrCap  VRAM%  GPU%\n"
        "              (DID,     GUID)  (Edge)  (Avg)  (Mem, Compute, ID)\n"
        f"{RULE}\n0       1     0x73bf,   34001  49.5°C  16.0W  N/A, N/A, 0         5Mhz  96Mhz  0%     manual  150.0W  3%     0%\n",
        {
            0: {
                "temperature_edge": 49.5,
                "power": 16.0,
                "clock_core": 5.0,
                "clock_memory": 96.0,
                "perf": "manual",
                "power_cap": 150.0,
                "memory_share": 3.0,
                "busy": 0.0,
            }
        },
    ),
    Form(
        "rocm-smi 6.1 with models: a name goes on in a line of its own, the sensor is the junction",
        "Device  [Model : Revision]    Temp        Power     Partitions      SCLK   MCLK     Fan  Perf    PwrCap  VRAM%  GPU%\n"
        "        Name (23 chars)       (Junction)  (Socket)  (Mem, Compute)\n"
        "0       [0x74a0 : 0x00]       35.5°C      165.0W    NPS1, SPX       31Mhz  1300Mhz  0%   manual  550.0W  0%   99%\n"
        "        Aqua Vanjaram [Insti\n",
        {
            0: {
                "temperature_junction": 35.5,
                "power": 165.0,
                "clock_core": 31.0,
                "clock_memory": 1300.0,
                "perf": "manual",
                "power_cap": 550.0,
                "memory_share": 0.0,
                "busy": 99.0,
            }
        },
    ),
    Form(
        "rocm-smi --json: bytes in the key, and more used than there is",
        '{"card0": {"Temperature (Sensor memory) (C)": "54.5", "GPU use (%)": "100", "VRAM Total Memory (B)": "17000000000", '
        '"VRAM Total Used Memory (B)": "17000000001", "Card SKU": "EXT1"}, "system": {"Driver version": "6.8"}}',
        {
            0: {
                "temperature_memory": 54.5,
                "busy": 100.0,
                "memory_total": (17000000000.0, "?"),
                "memory_used": (17000000001.0, "?"),
            }
        },
    ),
    Form(
        "rocm-smi --csv behind a warning: columns by name, the power of a socket",
        "WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status\n\n"
        "device,Temperature (Sensor edge) (C),Current Socket Graphics Package Power (W),GPU use (%),VRAM Total Memory (B),Card Series\n"
        "card0,36.0,18.043,2,536870912,AMD Radeon Graphics\n",
        {0: {"temperature_edge": 36.0, "power": 18.043, "busy": 2.0, "memory_total": 536870912.0}},
    ),
    Form(
        "rocm-smi --showclocks behind a warning: the number of a level is no frequency",
        "\nWARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status\n\n"
        "GPU[0]\t\t: fclk clock level: 7: (2000Mhz)\nGPU[0]\t\t: mclk clock level: 3: (1200Mhz)\nGPU[0]\t\t: sclk clock level: 1: (6Mhz)\n"
        "GPU[0]\t\t: pcie clock level: 0 (8.0GT/s x16)\nGPU[0]\t\t: Performance Level: high\n",
        {0: {"clock_memory": 1200.0, "clock_core": 6.0, "perf": "high"}},
    ),
    Form(
        "rocm-smi --showmetrics: an energy counter that stays 0 is none",
        "GPU[0]\t\t: temperature_hotspot (C): 49\nGPU[0]\t\t: average_gfx_activity (%): 3\nGPU[0]\t\t: average_socket_power (W): 26\n"
        "GPU[0]\t\t: energy_accumulator (15.259uJ (2^-16)): 0\nGPU[0]\t\t: average_socclk_frequency (MHz): N/A\n",
        {0: {"temperature_junction": 49.0, "busy": 3.0, "power": 26.0}},
    ),
    Form(
        "rocm-smi --showbus: a number that two addresses have is nobody's",
        "GPU[0]          : PCI Bus: 0000:01:00.0\nGPU[1]          : PCI Bus: 0000:02:00.0\nGPU[1]          : PCI Bus: 0000:03:00.0\n",
        {(0, "0000:01:00.0", 0): {}},
        ("card-twice",),
    ),
    Form(
        "rocm-smi --showhw",
        "GPU  NODE  DID     GUID   GFX VER  GFX RAS  SDMA RAS  UMC RAS   VBIOS  BUS           PARTITION ID\n"
        "0    4     0x74a0  36047  gfx942   ENABLED  ENABLED   DISABLED  N/A    0000:01:00.0  0\n"
        "=== End of ROCm System Management Interface ===\n",
        {},
        ("no-figures",),
    ),
    Form(
        "rocm-smi --showpids lists a monitor",
        "KFD process information:\nPID    \tPROCESS NAME\tGPU(s)\tVRAM USED\n18299\tkfd_open    \t0     \t0\n",
        {},
        ("processes",),
    ),
    Form("rocm-smi --showpidgpus", "PID 195 is using 1 DRM device(s):\n0\n", {}, ("processes",)),
    Form(
        "amd-smi 26 without arguments: everything N/A but the memory, which is MiB under the name MB",
        "+------------------------------------------------------------------------------+\n"
        "| AMD-SMI 26.0.2+36149fda      amdgpu version: 6.16.13  ROCm version: 7.0.2    |\n"
        "| BDF                        GPU-Name | Mem-Uti   Temp   UEC       Power-Usage |\n"
        "| GPU  HIP-ID  OAM-ID  Partition-Mode | GFX-Uti    Fan               Mem-Usage |\n"
        "| 0000:0d:00.0    AMD Instinct MI355X | N/A        N/A   0          N/A/1400 W |\n"
        "|   0       1       7        SPX/NPS1 | N/A        N/A           283/294896 MB |\n"
        "| 0000:26:00.0    AMD Instinct MI355X | N/A        N/A   0                 N/A |\n"
        "|   1       3       5        SPX/NPS1 | N/A        N/A           283/294896 MB |\n"
        "+------------------------------------------------------------------------------+\n",
        {
            (0, "0000:0d:00.0", 0): {
                "memory_busy": None,
                "temperature": None,
                "power": None,
                "power_cap": 1400.0,
                "busy": None,
                "memory_used": 283.0 * MIB,
                "memory_total": 294896.0 * MIB,
            },
            (1, "0000:26:00.0", 0): {
                "memory_busy": None,
                "temperature": None,
                "power": None,
                "power_cap": None,
                "busy": None,
                "memory_used": 283.0 * MIB,
                "memory_total": 294896.0 * MIB,
            },
        },
    ),
    Form(
        "amd-smi 27 without arguments: a guest with power and a fan, and the processes below",
        "   | AMD-SMI            27.0.0                                                    |\n"
        "   | 0000:05:00.0 AMD Instinct MI300X VF | 2 %      37 °C   0           137/750 W |\n"
        "   |   0       0       2        SPX/NPS1 | 6 %     29.2 %           249/196288 MB |\n"
        "   | Processes:                                                                   |\n"
        "   |  GPU      PID  Process Name     GTT_MEM  VRAM_MEM  MEM_USAGE   CU %     SDMA |\n"
        "   |  No running processes found                                                  |\n",
        {
            (0, "0000:05:00.0", 0): {
                "memory_busy": 2.0,
                "temperature": 37.0,
                "power": 137.0,
                "power_cap": 750.0,
                "busy": 6.0,
                "memory_used": 249.0 * MIB,
                "memory_total": 196288.0 * MIB,
            }
        },
    ),
    Form(
        "amd-smi monitor of 24: a blank before each unit; the processes below are another table",
        "GPU  POWER  GPU_TEMP  MEM_TEMP  GFX_UTIL  GFX_CLOCK  MEM_UTIL  MEM_CLOCK  ENC_UTIL  SINGLE_ECC  VRAM_USED  VRAM_TOTAL   PCIE_BW\n"
        "  0  181 W    105 °C     82 °C      96 %   1300 MHz      35 %   1200 MHz       N/A           0    1877 MB    65520 MB  N/A Mb/s\n"
        "\nPROCESS INFO:\nGPU                  NAME      PID  GTT_MEM\n  0                   rvs  1736988    0.0 B\n",
        {
            0: {
                "power": 181.0,
                "temperature_junction": 105.0,
                "temperature_memory": 82.0,
                "busy": 96.0,
                "clock_core": 1300.0,
                "memory_busy": 35.0,
                "clock_memory": 1200.0,
                "memory_used": 1877.0 * MIB,
                "memory_total": 65520.0 * MIB,
            }
        },
    ),
    Form(
        "amd-smi monitor of 27 in CPX: only the first part has sensors, and all have memory",
        "GPU  XCP  POWER   GPU_T   MEM_T   GFX_CLK   GFX%   MEM%   ENC%   DEC%      VRAM_USAGE\n"
        "  0    0  149 W   46 °C   45 °C  1400 MHz    0 %    0 %    N/A    0 %    0.5/192.0 GB\n"
        "  1    1    N/A     N/A     N/A       N/A    N/A    N/A    N/A    N/A    0.5/ 48.0 GB\n",
        {
            (0, None, 0): {
                "power": 149.0,
                "temperature_junction": 46.0,
                "temperature_memory": 45.0,
                "clock_core": 1400.0,
                "busy": 0.0,
                "memory_busy": 0.0,
                "memory_used": 0.5 * GIB,
                "memory_total": 192.0 * GIB,
            },
            (1, None, 1): {
                "power": None,
                "temperature_junction": None,
                "temperature_memory": None,
                "clock_core": None,
                "busy": None,
                "memory_busy": None,
                "memory_used": 0.5 * GIB,
                "memory_total": 48.0 * GIB,
            },
        },
    ),
    Form(
        "amd-smi monitor of 7.0 with a cap",
        "GPU  POWER  PWR_CAP   GPU_T   MEM_T   GFX_CLK   GFX%   MEM%  MEM_CLOCK\n"
        "  0  221 W   1400 W   53 °C   45 °C   185 MHz   13 %    4 %   1900 MHz\n",
        {
            0: {
                "power": 221.0,
                "power_cap": 1400.0,
                "temperature_junction": 53.0,
                "temperature_memory": 45.0,
                "clock_core": 185.0,
                "busy": 13.0,
                "memory_busy": 4.0,
                "clock_memory": 1900.0,
            }
        },
    ),
    Form(
        "amd-smi monitor --violation: the worst heat counts",
        "GPU     PVIOL     TVIOL  PHOT_TVIOL  VR_TVIOL  HBM_TVIOL\n  0       4 %       0 %         0 %      12 %        0 %\n"
        "  1      40 %       3 %         0 %       0 %        0 %\n  2       0 %       0 %         0 %       0 %        0 %\n",
        {
            0: {"power_violation": 4.0, "thermal_violation": 12.0, "throttle": "thermal"},
            1: {"power_violation": 40.0, "thermal_violation": 3.0, "throttle": "power"},
            2: {"power_violation": 0.0, "thermal_violation": 0.0, "throttle": "none"},
        },
    ),
    Form(
        "amd-smi metric as text: arrays over several lines, N/A among numbers",
        "GPU: 0\n    USAGE:\n        GFX_ACTIVITY: 7 %\n        UMC_ACTIVITY: 1 %\n        MM_ACTIVITY: N/A\n"
        "        JPEG_ACTIVITY: [0 %, N/A, N/A,\n            N/A, N/A]\n    POWER:\n        SOCKET_POWER: 28 W\n"
        "        THROTTLE_STATUS: UNTHROTTLED\n    CLOCK:\n        GFX_0:\n            CLK: 15 MHz\n            MIN_CLK: 500 MHz\n"
        "        MEM_0:\n            CLK: 96 MHz\n\nGPU: 1\n    USAGE: N/A\n    POWER:\n        SOCKET_POWER: N/A\n        THROTTLE_STATUS: THROTTLED\n",
        {
            0: {
                "busy": 7.0,
                "memory_busy": 1.0,
                "power": 28.0,
                "throttle": "none",
                "clock_core": 15.0,
                "clock_memory": 96.0,
            },
            1: {"power": None, "throttle": "other"},
        },
    ),
    Form(
        "amd-smi metric --throttle as text",
        "GPU: 0\n    THROTTLE:\n        PPT_ACCUMULATED: 572000\n        PPT_VIOLATION_STATUS: ACTIVE\n"
        "        PPT_VIOLATION_ACTIVITY: 61 %\n        SOCKET_THERMAL_VIOLATION_ACTIVITY: 0 %\n        HBM_THERMAL_VIOLATION_ACTIVITY: N/A\n",
        {0: {"power_violation": 61.0, "thermal_violation": 0.0, "throttle": "power"}},
    ),
    Form(
        "amd-smi metric --json of 24: a bare list, leaves with units, N/A in the same array",
        '[{"gpu": 0, "usage": {"gfx_activity": {"value": 49, "unit": "%"}, "umc_activity": {"value": 2, "unit": "%"}, '
        '"vcn_activity": [{"value": 0, "unit": "%"}, "N/A"]}, "power": {"socket_power": {"value": 10, "unit": "W"}, '
        '"throttle_status": "UNTHROTTLED"}, "temperature": {"edge": {"value": 41, "unit": "C"}, "hotspot": "N/A"}, '
        '"mem_usage": {"total_vram": {"value": 16368, "unit": "MB"}, "used_vram": {"value": 28, "unit": "MB"}}}]',
        {
            0: {
                "busy": 49.0,
                "memory_busy": 2.0,
                "power": 10.0,
                "throttle": "none",
                "temperature_edge": 41.0,
                "temperature_junction": None,
                "memory_total": 16368.0 * MIB,
                "memory_used": 28.0 * MIB,
            }
        },
    ),
    Form(
        "amd-smi metric -w --json: a sentence before it, a whole section N/A",
        '\'CTRL\' + \'C\' to stop watching output:\n[{"timestamp": 1791, "gpu": 0, "usage": "N/A", '
        '"power": {"socket_power": "N/A", "throttle_status": "N/A"}, "clock": {"gfx_0": {"clk": "N/A"}}}]',
        {0: {"power": None, "throttle": None, "clock_core": None}},
    ),
    Form(
        "amd-smi metric --json of 25: an object around the list, behind a warning",
        'WARNING: amd_smi not in render group\n{"gpu_data": [{"gpu": 1, "power": {"socket_power": {"value": 301, "unit": "W"}}}]}',
        {1: {"power": 301.0}},
    ),
    Form(
        "amd-smi list --json: GPUs and NICs in two arrays",
        '[{"gpu": 0, "bdf": "0000:C4:00.0", "kfd_id": 46397, "partition_id": 0}]\n[{"nic": 0, "bdf": "0000:c5:00.0"}]',
        {(0, "0000:c4:00.0", 0): {}},
    ),
    Form(
        "amd-smi list as text",
        "GPU: 0\n    BDF: 0000:23:00.0\n    KFD_ID: 48553\n    PARTITION_ID: 0\n",
        {(0, "0000:23:00.0", 0): {}},
    ),
    Form(
        "amd-smi static as text: processors before cards",
        "CPU: 0\n    SMU:\n        FW_VERSION: 85.90.0\n\nGPU: 0\n    BUS:\n        BDF: 0000:01:00.0\n    LIMIT:\n"
        "        MAX_POWER: 550 W\n        SOCKET_POWER: 540 W\n        SLOWDOWN_HOTSPOT_TEMPERATURE: 100 °C\n",
        {(0, "0000:01:00.0", 0): {"power_cap": 540.0}},
    ),
    Form(
        "amd-smi static --json of 26.2: the cap under a new name",
        '{"gpu_data": [{"gpu": 0, "limit": {"ppt0": {"socket_power_limit": {"value": 750, "unit": "W"}}, "ppt1": "N/A"}}]}',
        {0: {"power_cap": 750.0}},
    ),
    Form(
        "amd-smi process --json",
        '[{"gpu": 0, "process_list": [{"process_info": "No running processes detected"}]}]',
        {},
        ("processes",),
    ),
    Form(
        "amd-smi process as text",
        "GPU: 0\n    PROCESS_INFO:\n        NAME: N/A\n        PID: 15277\n",
        {},
        ("processes",),
    ),
    Form(
        "amd-smi metric --pcie", "GPU: 0\n    PCIE:\n        WIDTH: 16\n        SPEED: 32 GT/s\n", {}, ("no-figures",)
    ),
    Form("amd-smi metric --json cut off", '[\n    {\n        "gpu": 0,\n        "usage": {\n', {}, ("json-broken",)),
    Form(
        "amd-smi without its driver",
        "Command 'process' requires the amdgpu driver: amdgpu driver not loaded (sudo modprobe amdgpu)\n",
        {},
        ("no-driver",),
    ),
    Form(
        "amd-smi without its driver, older",
        "ERROR:root:Unable to get devices, driver not initialized (amdgpu not found in modules)\n",
        {},
        ("no-driver",),
    ),
    Form(
        "amd-smi version",
        "AMDSMI Tool: 26.2.2 | AMDSMI Library version: 26.2.2 | ROCm version: 7.2.1\n",
        {},
        ("unknown-form",),
    ),
    Form(
        "amd-smi topology",
        "ACCESS TABLE:\n             0000:0c:00.0 0000:22:00.0\n0000:0c:00.0 ENABLED      ENABLED\n",
        {},
        ("unknown-form",),
    ),
)

QUERY = (
    "pci.bus_id",
    "power.draw",
    "power.limit",
    "utilization.gpu",
    "memory.used",
    "memory.total",
    "temperature.gpu",
    "clocks_event_reasons.active",
)
NVIDIA = (
    Form(
        "nvidia-smi without arguments: two lines for each card, and the processes below",
        "| NVIDIA-SMI 570.148.08             Driver Version: 570.148.08     CUDA Version: 12.8     |\n"
        "|   0  NVIDIA L4                      On  |   00000000:3A:00.0 Off |                    0 |\n"
        "| N/A   54C    P0             38W /   72W |   15596MiB /  23034MiB |     40%      Default |\n"
        "|                                         |                        |                  N/A |\n"
        "| Processes:                                                                              |\n"
        "|    0   N/A  N/A             253      C   python                                15500MiB |\n",
        {
            (0, "0000:3a:00.0", 0): {
                "temperature": 54.0,
                "perf": "p0",
                "power": 38.0,
                "power_cap": 72.0,
                "memory_used": 15596.0 * MIB,
                "memory_total": 23034.0 * MIB,
                "busy": 40.0,
            }
        },
    ),
    Form(
        "nvidia-smi query: a lost card among healthy rows, words for what is not there",
        "Unable to determine the device handle for GPU0: 0000:24:00.0: GPU is lost.  Reboot the system to recover this GPU\n"
        "00000000:41:00.0, 351.17, 385.00, 96, 7216, 8192, 76, 0x0000000000000004\n"
        "00000000:42:00.0, [N/A], [Not Supported], [Unknown Error], [N/A], [N/A], 39, 0x0000000000000001\n",
        {
            (None, "0000:41:00.0", 0): {
                "power": 351.17,
                "power_cap": 385.0,
                "busy": 96.0,
                "memory_used": 7216.0 * MIB,
                "memory_total": 8192.0 * MIB,
                "temperature": 76.0,
                "throttle": "power",
            },
            (None, "0000:42:00.0", 0): {
                "power": None,
                "power_cap": None,
                "busy": None,
                "memory_used": None,
                "memory_total": None,
                "temperature": 39.0,
                "throttle": "none",
            },
        },
        ("device-lost",),
        QUERY,
    ),
    Form(
        "nvidia-smi query with a header and units",
        "index, utilization.gpu [%], memory.used [MiB], power.draw [W]\n0, 96 %, 7216 MiB, 88.67 W\n1, 3 %, 12 MiB, 20.01 W\n",
        {
            0: {"busy": 96.0, "memory_used": 7216.0 * MIB, "power": 88.67},
            1: {"busy": 3.0, "memory_used": 12.0 * MIB, "power": 20.01},
        },
    ),
    Form(
        "nvidia-smi query with a header that names no card",
        "timestamp, utilization.gpu [%], power.draw [W]\n2026/08/17 10:00:00.000, 96 %, 88.67 W\n",
        {},
        ("card-unnamed",),
    ),
    Form("nvidia-smi query without a header", "0, [N/A], [N/A], 39, 4.72\n", {}, ("columns-unnamed",)),
    Form(
        "nvidia-smi query with other columns than were asked for",
        "00000000:41:00.0, 351.17\n",
        {},
        ("row-unlike-header",),
        QUERY,
    ),
    Form(
        "nvidia-smi query with a field that the driver does not know",
        'Field "clocks_event_reasons.active" is not a valid field to query.\n',
        {},
        ("row-unlike-header",),
        QUERY,
    ),
    Form(
        "nvidia-smi with another driver than library",
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.86\n",
        {},
        ("no-driver",),
        QUERY,
    ),
    Form("nvidia-smi without cards", "No devices were found\n", {}, ("no-devices",), QUERY),
    Form(
        "nvidia-smi with the only card lost",
        "Unable to determine the device handle for GPU0000:01:00.0: GPU has fallen off the bus.\n",
        {},
        ("device-lost",),
        QUERY,
    ),
    Form(
        "nvidia-smi, processes",
        "pid, process_name, used_gpu_memory [MiB]\n1488, /app/server, 345 MiB\n",
        {},
        ("processes",),
    ),
    Form(
        "nvidia-smi, processes without a header",
        "GPU-d1df4664-bb44, 111157, 3195\nGPU-50205d95-57b6, [Not Supported], [Not Supported]\n",
        {},
        ("columns-unnamed",),
    ),
    Form(
        "nvidia-smi topo -m with ANSI",
        "\t\x1b[4mGPU0\tGPU1\tCPU Affinity\x1b[0m\nGPU0\t X \tNV18\t0-63\n",
        {},
        ("unknown-form",),
    ),
)

REFUSED = (
    Form("nothing", "", {}, ("empty",)),
    Form("blank lines", "\n \n", {}, ("empty",)),
    Form(
        "npu-smi",
        "| npu-smi 24.1  Version: 24.1 |\n| NPU   Name | Health | Power(W) |\n| 0     910B3 | OK | 95.9 |\n",
        {},
        ("other-vendor",),
    ),
    Form(
        "npu-smi without its banner",
        "| NPU   Name      | Health   | Power(W)  Temp(C) |\n| 0     910B3     | OK       | 98.5      31      |\n",
        {},
        ("other-vendor",),
    ),
    Form(
        "mthreads-gmi",
        "Tue Jun 23 17:48:04 2026\n    mthreads-gmi:2.4.1    Driver Version:5.1.0\n0    MTT S5000   |00000000:18:00.0    |0%    0MiB(81920MiB)\n",
        {},
        ("other-vendor",),
    ),
    Form(
        "mx-smi",
        "mx-smi  version: 2.2.9\nGPU#0    MXC500      0000:08:00.0   Available (UUID: GPU-0)\n",
        {},
        ("other-vendor",),
    ),
    Form(
        "xpu-smi dump",
        "Timestamp, DeviceId, GPU Utilization (%), GPU Power (W)\n21:23:00.000,    0, 91.76, 178.99\n",
        {},
        ("other-vendor",),
    ),
    Form(
        "a page of hcu-exporter",
        '# HELP hcu_temp hcu metrics of gauge\nhcu_temp{device_id="T1",minor_number="0",pcieBus_number="0000:f6:00.0"} 47\n',
        {},
        ("unknown-form",),
    ),
    Form(
        "a line of the kernel that begins with a bracket",
        "[Fri Apr 17 19:56:43 2026] amdgpu 0000:c4:00.0: page fault\n",
        {},
        ("unknown-form",),
    ),
    Form(
        "rocminfo",
        "\x1b[37mhygon module is loaded\x1b[0m\nAgent 9\n  Name:                    gfx936\n  Device Type:             HCU\n",
        {},
        ("unknown-form",),
    ),
    Form("KFD properties", "cpu_cores_count 0\nsimd_count 480\nvendor_id 7572\n", {}, ("unknown-form",)),
    Form("a message of a shell", "bash: hy-smi: command not found...\n", {}, ("unknown-form",)),
    Form("garbage", "\x00\x01\ufffd{[}\n\x7f,,,:::\n", {}, ("unknown-form",)),
)

FORMS = (*HYGON, *AMD, *NVIDIA, *REFUSED)
