export { WandbDoor, type WandbDoorOptions } from './wandb-door.ts';
