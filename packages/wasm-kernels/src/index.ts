export { registerWasmKernels } from './kernels.ts';
