// The pages of runtime errors, which `moe explain` prints: a table, as long as there are codes. Knows no errors themselves (errors.ts).

export interface RuntimeCode {
  readonly title: string;
  /** One paragraph: when it happens, why it is an error, how to mend it. */
  readonly text: string;
}

/** Every code a runtime error can carry. R01: data. R02: checkpoints and tensor files. R03: training. R04: generation.
 * R05: sessions. R06: sessions on WebGPU. R07: sessions on CUDA. */
export const runtimeCodes: Readonly<Record<string, RuntimeCode>> = {
  R0101: {
    title: "no data file found",
    text:
      "The path in a `data` line names no file. Paths are relative to the `.moe` file, not to the folder in which the " +
      "command was started; `*` stands for part of a name, `**` for any number of folders, `{a,b}` for either. Hidden files " +
      "are only matched by patterns that spell out the dot. Mend the path, or put the file there.",
  },
  R0102: {
    title: "a data file cannot be read",
    text:
      "The file exists but the system refuses to open or read it: missing permission, a folder instead of a file, a broken " +
      "compressed stream, or a failing disk. The message repeats the system's reason.",
  },
  R0103: {
    title: "a data file is empty",
    text: "Training needs at least one example, and this file holds none. Often a download or a script that stopped early.",
  },
  R0104: {
    title: "not enough data",
    text:
      "A token model learns from windows of `length + 1` tokens, one part of the data for training and another, never " +
      "overlapping, for evaluation; rows need at least one for each. Make the window shorter, hold out less, or add data.",
  },
  R0105: {
    title: "the file is not text",
    text:
      "The readers `characters`, `pairs`, `csv` and `jsonl` need UTF-8 text without zero bytes; this file is binary or in " +
      "another encoding. Convert it (for instance with `iconv -t utf-8`), or read it with `bytes`, which takes anything.",
  },
  R0106: {
    title: "the vocabulary does not fit the model",
    text:
      "The corpus and the modality disagree about the number of different tokens. `bytes` needs 256 (257 when documents are to " +
      "end with a token of their own), `characters` one per different character plus one for the end of a document, `pairs` " +
      "more than 257. Change `vocab` in the modality.",
  },
  R0107: {
    title: "a character the model does not know",
    text:
      "A character model knows the characters of its training text and no others. Leave the character out, or train with " +
      "`bytes` or `pairs`, which can spell any text.",
  },
  R0108: {
    title: "not a tokenizer",
    text: "A run keeps its tokenizer as JSON beside its checkpoints. This file is not one: it was edited, or is another file.",
  },
  R0111: {
    title: "a row has the wrong number of cells",
    text:
      "Each line of a CSV file must have as many cells as the header line. A cell that contains the separator, a quote or a " +
      "line break must be in double quotes, and quotes inside it doubled.",
  },
  R0112: {
    title: "no such column",
    text: "A `data` line names a column that the file does not have. Names are compared exactly, case included.",
  },
  R0113: {
    title: "a cell is not a number",
    text:
      "A number or feature column holds text, or nothing. Numbers are written with a decimal point and no thousands separator. " +
      "Mend the cell, drop the row, or declare the column as a category.",
  },
  R0114: {
    title: "a category that does not fit",
    text:
      "A category column has more different values than the modality declares, or a number outside of 0 to classes - 1 where " +
      "the file gives numbers. Raise the number of classes, or mend the data.",
  },
  R0115: {
    title: "a line is not the JSON that was expected",
    text: "A `.jsonl` file holds one JSON object per line. The message says which line fails and how.",
  },
  R0116: {
    title: "the columns do not fit the modality",
    text:
      "A modality says how many numbers one example has (`features` its width, `image` height x width x channels, `number` " +
      "and `category` one); the file gives another number of them.",
  },
  R0121: {
    title: "not an IDX file",
    text:
      "IDX files begin with two zero bytes, a type byte and the number of axes, then one big-endian length per axis, then the " +
      "values. This file begins otherwise, or its lengths make no sense.",
  },
  R0122: {
    title: "an IDX file is truncated",
    text: "The header promises more values than the file holds, or fewer. Usually an interrupted download; fetch it again.",
  },
  R0131: {
    title: "the data of the modalities do not line up",
    text:
      "One example takes one row of every modality, so all sources must have the same number of rows; and a running text, which " +
      "is cut in windows, cannot be paired with rows. For text with labels use a CSV or JSON-lines file with one text per row. " +
      'What belongs to no row of the others is read apart: `data more = csv("more.csv", "x", stream = more)`.',
  },
  R0132: {
    title: "the reader does not fit the modality",
    text:
      "`bytes`, `characters` and `pairs` make tokens, `idx` makes images, categories, features and numbers; `csv` and `jsonl` " +
      "make any of them from columns. Each modality that the model is trained on needs one `data` line.",
  },
  R0201: {
    title: "no checkpoint",
    text: "There is no checkpoint at this path. Train first (`moe train`), or point to the folder of another run.",
  },
  R0202: {
    title: "the tensor file is truncated",
    text: "The file ends before the tensors that its header lists. It was cut off while it was copied; copy it again.",
  },
  R0203: {
    title: "the tensor file is damaged",
    text:
      "The checksum that was written into the checkpoint is not the checksum of what is there now: some bits changed. The run " +
      "folder also keeps `previous.safetensors`, the checkpoint before this one.",
  },
  R0204: {
    title: "not a safetensors file",
    text:
      "A safetensors file is eight bytes that give the length of a JSON header, the header, and the raw values, each tensor's " +
      "bytes right after the one before. The header of this file breaks those rules, so nothing in it can be trusted.",
  },
  R0205: {
    title: "a tensor has a type that is not supported",
    text:
      "Programs have 32-bit floats and integers. Floats of 16 and 64 bits (F16, BF16, F64) are read as the nearest of 32 bits; whole " +
      "numbers of 8 to 64 bits and truth values as integers where 32 bits hold them. Convert other types before loading them.",
  },
  R0206: {
    title: "the checkpoint is of another model",
    text:
      "The tensors in the checkpoint have other names or shapes than those of the model. The `.moe` file was changed after the " +
      "run began, or the path is that of another run. Nothing was loaded.",
  },
  R0207: {
    title: "not a checkpoint of this program",
    text: "The file is a safetensors file, but without the step, seed and checksum that a run writes, so it cannot be resumed.",
  },
  R0210: {
    title: "the data changed since the checkpoint",
    text:
      "A resumed run continues in the middle of an epoch, so the data must be those it began with: same files, same tokenizer, " +
      "same rows. They differ now. Restore the data, or begin a new run (which may start from the parameters of this one).",
  },
  R0208: {
    title: "the checkpoint could not be written",
    text:
      "The disk is full, or the folder may not be written. The run has stopped; the last complete checkpoint is intact and " +
      "`moe train --resume` goes on from it once there is room.",
  },
  R0209: {
    title: "a checkpoint file cannot be read",
    text: "The system refuses to open or read the file. The message repeats the system's reason.",
  },
  R0301: {
    title: "the loss is not a finite number",
    text:
      "A step's loss or gradient norm is infinite or not a number, so the run stopped before it could be saved; the last " +
      "checkpoint is intact. The message names the first value that went wrong. Usual causes: a learning rate that is too high, " +
      "no warm-up, no gradient clipping, a logarithm or a division of something that may be zero, numbers in the data that " +
      "are huge or missing.",
  },
  R0302: {
    title: "the metrics file cannot be written or read",
    text:
      "The disk is full, or the folder may not be written. The run has stopped; the last complete checkpoint is intact and " +
      "`moe train --resume` goes on from it.",
  },
  R0303: {
    title: "the model cannot be trained",
    text:
      "Training needs the entries `train` and `update`, which the compiler makes for a model with a `loss` and a `train` block. " +
      "Add them to the `.moe` file and build again.",
  },
  R0304: {
    title: "the run cannot be resumed as it was",
    text:
      "A resumed run goes on exactly as if it had never stopped, so its model, seed and data must be those it began with. " +
      "Restore them, or start a new run in another folder.",
  },
  R0305: {
    title: "somebody else trains in this folder",
    text:
      "Two processes that write checkpoints and metrics into one folder would destroy both runs, so the one that trains holds a " +
      "lock there. Locks of processes that are gone are taken over by themselves; only that of another machine (a shared disk) " +
      "cannot be judged from here, and has to be deleted by hand when that machine is off.",
  },
  R0306: {
    title: "a run starts from a tensor that is not there",
    text:
      "A rule of `start` names tensors of another run or file. A pattern must match at least one of them; a name without `*`, and every " +
      "one of several sources, must be there. `moe show` lists the names of a model.",
  },
  R0307: {
    title: "a run starts from a tensor of another shape",
    text:
      "What a rule of `start` makes must have the shape and type of the tensor that it fills. `copy` repeats along a new first axis, " +
      "`slice` and `take` keep a part, `concat` and `stack` put several together, and `fresh` leaves a tensor to its initialiser.",
  },
  R0308: {
    title: "a run starts from a run that read other tokens",
    text:
      "The rows of an embedding belong to the tokens of the text that the run read. Other data, cut into `characters` or `pairs`, have other " +
      "tokens, so what was learned would stand for something else. Train on the same text, use `bytes`, or leave the tables of tokens to " +
      "their initialisers.",
  },
  R0309: {
    title: "a run starts from numbers that are not finite",
    text:
      "A tensor of the source holds NaN or infinity, or a rule of `start` made such a number of huge ones. Nothing could be learned from " +
      "it. Take an earlier checkpoint, or leave the tensor to its initialiser.",
  },
  R0310: {
    title: "a model was loaded without what it starts from",
    text:
      "The recipe says `start from`: training begins with tensors of other files, which a generated module cannot find by itself. Give " +
      '`load` a file for each source, under its name in the recipe, or weights of the model; `start: "fresh"` begins with the ' +
      "initialisers. Until then the model runs and generates with them, and does not train.",
  },
  R0401: {
    title: "the model cannot generate",
    text:
      "Generation needs the entry `decode`, which the compiler makes for models over one token modality in which no token sees " +
      "a later one. Layers that look ahead, or routers that compare tokens of a sequence (expert choice), need a causal " +
      "variant `in inference`.",
  },
  R0402: {
    title: "the prompt does not fit",
    text:
      "A prompt has at least one token, no id outside of the vocabulary, and at most as many tokens as the model's context " +
      "holds. Shorten it, or compile the model with a larger context.",
  },
  R0403: {
    title: "the model's scores are not numbers",
    text:
      "All scores for the next token are infinite or not a number, so none can be chosen. The parameters are damaged: " +
      "usually the run diverged. Load an earlier checkpoint.",
  },
  R0404: {
    title: "a sampling option is out of range",
    text: "Temperature is 0 or more, top-k a whole number from 1, top-p more than 0 and at most 1, the number of tokens whole.",
  },
  R0501: {
    title: "the model needs more memory than WebAssembly can address",
    text:
      "Tensors, optimiser state and the values of one step must fit into 4 GiB. `moe plan` shows what takes how much. A smaller " +
      "batch with `accumulate` computes the same step in less memory.",
  },
  R0502: {
    title: "the system refuses the memory",
    text:
      "The model would fit into WebAssembly's 4 GiB, but the system (or a container's limit) does not give so much. Close other " +
      "programs, raise the limit, or make the batch or the model smaller.",
  },
  R0503: {
    title: "the engine is too old",
    text: "The kernels use WebAssembly SIMD and, with several threads, shared memory: Node 20 or newer, or a current browser.",
  },
  R0504: {
    title: "an input does not fit",
    text:
      "Each input of an entry has a name, a shape and an element type, which follow from the model and from the sizes that the " +
      "session was opened with (batch, length). The message says what is expected.",
  },
  R0505: {
    title: "no such entry or tensor",
    text:
      "A session runs the entries it was opened for and holds the tensors that they use. Names are those that `moe show` and " +
      "the generated module list.",
  },
  R0506: {
    title: "a size that cannot be",
    text: "Sizes such as the batch or the sequence length are whole numbers from 1, and only those that the model names.",
  },
  R0508: {
    title: "a thread died",
    text:
      "One of the threads that share the work of a step ended in the middle of it: the engine stopped it, mostly because memory ran " +
      "out. The step is lost, and the session with it; checkpoints are untouched. Go on from the last one, with fewer threads " +
      "(`--threads 1` starts none) or in more memory.",
  },
  R0509: {
    title: "the model was disposed",
    text:
      "`dispose()` frees the threads of a model, or its memory on the GPU. What is asked of it afterwards cannot be done, and what is being " +
      "done at that moment may not come back. Wait for the last answer, then dispose; load the model again to go on.",
  },
  R0507: {
    title: "a file of the compiled model cannot be loaded",
    text:
      "A generated module needs `program.json`, `model.wasm` and `model.relaxed.wasm`, which `moe build` writes beside it. One is " +
      "missing, cannot be read, is of another version of moe, or is not the one that the module was built with: edited, cut off, or of " +
      "another build. Build again, keep the files together, or give their places to `load`.",
  },
  R0601: {
    title: "there is no WebGPU",
    text:
      "A browser offers WebGPU to pages that are served over https or from localhost, if it is recent enough and the graphics " +
      "driver is one that it trusts. In Node it comes with the package `webgpu`, which npm installs with moelang where it can. " +
      "Without it, everything runs on the CPU.",
  },
  R0602: {
    title: "no device to compute on",
    text:
      "WebGPU is there, but it finds no graphics device, or the device does not start: no driver (on Linux, one for Vulkan), " +
      "hardware acceleration switched off, or a machine without a GPU. Install the driver, or use the CPU.",
  },
  R0603: {
    title: "the device has not enough memory",
    text:
      "Tensors, optimiser state and the values of one step must fit into the memory of the GPU, which other programs use too. " +
      "`moe plan` shows what takes how much. A smaller batch with `accumulate` computes the same step in less memory.",
  },
  R0604: {
    title: "a limit of the device is too low",
    text:
      "WebGPU guarantees every device some memory for one tensor, for one workgroup and so on; most give more, and moe asks for " +
      "all that there is. This model needs more than this device gives, and the message says of what. A smaller batch helps where " +
      "a value is too large. Matrices of experts may be longer than one binding: they lie in parts; other tensors, and those that the " +
      "optimiser needs whole (Muon), may not. Else use another device or the CPU.",
  },
  R0605: {
    title: "the device is lost",
    text:
      "The browser or the system has taken the GPU away: a driver was updated or crashed, a step took longer than the system " +
      "allows, or the machine slept. What was on the device is gone; go on from the last checkpoint.",
  },
  R0606: {
    title: "the device refuses a kernel",
    text:
      "The driver or the browser does not accept what moe made, which shows when an entry is first used. That is a mistake in one of " +
      "them, or in moe: please report it, with the message and the model. The message names the kernel and the line of the model that " +
      "asks for it. The CPU runs every model.",
  },
  R0607: {
    title: "the model was built for another device",
    text:
      "A compiled model is for one kind of device: the CPU (`wasm`), WebGPU or CUDA. Build it for the one that is wanted: " +
      "`moe build --target webgpu`.",
  },
  R0608: {
    title: "the device has no numbers of 16 bits",
    text:
      "`--precision f16` keeps and reads operands of contractions in 16 bits, which a device may offer or not (`shader-f16`). This " +
      "one does not. Without `--precision` everything is 32 bits wide, which every device has; checkpoints are the same.",
  },
  R0609: {
    title: "the parameters are there in 16 bits only",
    text:
      "Compiled with `--precision`, entries read copies of parameters in 16 bits. Where nothing trains, a device holds those alone: half of " +
      "the memory, but not what a checkpoint holds. Keep the weights that were loaded, or open the model with `training: true`, which " +
      "holds both.",
  },
  R0701: {
    title: "there is no CUDA",
    text:
      "CUDA needs an NVIDIA GPU, the driver that comes with it (`libcuda.so.1`), and in Node the package `koffi`, which npm installs " +
      "with moelang where it can. A driver in an unusual place can be named in the environment variable `MOE_CUDA_DRIVER`. Without " +
      "CUDA, everything runs on the CPU, and on most GPUs by WebGPU.",
  },
  R0702: {
    title: "the CUDA driver is too old",
    text:
      "The driver lacks something that moe calls (graphs of launches, since CUDA 11.4), or it does not know the form of the kernels. " +
      "`nvidia-smi` shows its version. A newer driver runs all that an older one does.",
  },
  R0703: {
    title: "no GPU for CUDA",
    text:
      "The driver is there and finds no GPU, or none that it may use: hidden by `CUDA_VISIBLE_DEVICES`, taken by another program in " +
      "exclusive mode, not passed into a container, or broken. `nvidia-smi` shows what there is.",
  },
  R0704: {
    title: "the kernels are not for this GPU",
    text:
      "Machine code is for one generation of GPUs. `moe build --target cuda` makes it for sm_80 and sm_90a where `nvcc` is installed, and " +
      "PTX for all later ones; from the source alone they are compiled when they are loaded, if the machine has NVRTC, a part of the " +
      "CUDA toolkit. GPUs before compute capability 8.0 cannot run them.",
  },
  R0705: {
    title: "the GPU has not enough memory",
    text:
      "Tensors, optimiser state and the values of one step must fit into the memory of the GPU, which other programs use too. " +
      "`moe plan` shows what takes how much. A smaller batch with `accumulate` computes the same step in less memory.",
  },
  R0706: {
    title: "the GPU stopped in the middle of its work",
    text:
      "The device reported an error while a kernel ran, or was taken away: an access outside of memory, a time limit of the system, a " +
      "hardware fault. What was on it is gone; go on from the last checkpoint. If it happens again at the same place it is a mistake " +
      "in moe: please report it with the message and the model. An entry's kernels run as one graph, so the message names the entry; " +
      "with `MOE_CUDA_STEPWISE=1` in the environment they run one by one, slowly, and it names the kernel and its line.",
  },
};
