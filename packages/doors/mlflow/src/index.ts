export { MLFLOW_FOLDERS, MlflowDoor } from './door.ts';
