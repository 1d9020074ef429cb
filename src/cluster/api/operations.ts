// Which function answers which operation.
import * as agent from "../control/agent-calls.ts";
import * as attributes from "../control/attributes.ts";
import * as providers from "../control/capacity-providers.ts";
import * as clusters from "../control/clusters.ts";
import type { Call } from "../control/control.ts";
import * as deployments from "../control/deployments.ts";
import { executeCommand } from "../control/execute-command.ts";
import * as instances from "../control/instances.ts";
import * as protection from "../control/protection.ts";
import * as services from "../control/services.ts";
import * as settings from "../control/settings.ts";
import * as tags from "../control/tags.ts";
import * as definitions from "../control/task-definitions.ts";
import * as taskSets from "../control/task-sets.ts";
import * as tasks from "../control/tasks.ts";

export type Handler = (call: Call, input: never) => unknown;

export const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["CreateCapacityProvider", providers.createCapacityProvider],
  ["CreateCluster", clusters.createCluster],
  ["CreateService", services.createService],
  ["CreateTaskSet", taskSets.createTaskSet],
  ["DeleteAccountSetting", settings.deleteAccountSetting],
  ["DeleteAttributes", attributes.deleteAttributes],
  ["DeleteCapacityProvider", providers.deleteCapacityProvider],
  ["DeleteCluster", clusters.deleteCluster],
  ["DeleteService", services.deleteService],
  ["DeleteTaskDefinitions", definitions.deleteTaskDefinitions],
  ["DeleteTaskSet", taskSets.deleteTaskSet],
  ["DeregisterContainerInstance", instances.deregisterContainerInstance],
  ["DeregisterTaskDefinition", definitions.deregisterTaskDefinition],
  ["DescribeCapacityProviders", providers.describeCapacityProviders],
  ["DescribeClusters", clusters.describeClusters],
  ["DescribeContainerInstances", instances.describeContainerInstances],
  ["DescribeServiceDeployments", deployments.describeServiceDeployments],
  ["DescribeServiceRevisions", deployments.describeServiceRevisions],
  ["DescribeServices", services.describeServices],
  ["DescribeTaskDefinition", definitions.describeTaskDefinition],
  ["DescribeTaskSets", taskSets.describeTaskSets],
  ["DescribeTasks", tasks.describeTasks],
  ["DiscoverPollEndpoint", agent.discoverPollEndpoint],
  ["ExecuteCommand", executeCommand],
  ["GetTaskProtection", protection.getTaskProtection],
  ["ListAccountSettings", settings.listAccountSettings],
  ["ListAttributes", attributes.listAttributes],
  ["ListClusters", clusters.listClusters],
  ["ListContainerInstances", instances.listContainerInstances],
  ["ListServiceDeployments", deployments.listServiceDeployments],
  ["ListServices", services.listServices],
  ["ListServicesByNamespace", agent.listServicesByNamespace],
  ["ListTagsForResource", tags.listTagsForResource],
  ["ListTaskDefinitionFamilies", definitions.listTaskDefinitionFamilies],
  ["ListTaskDefinitions", definitions.listTaskDefinitions],
  ["ListTasks", tasks.listTasks],
  ["PutAccountSetting", settings.putAccountSetting],
  ["PutAccountSettingDefault", settings.putAccountSettingDefault],
  ["PutAttributes", attributes.putAttributes],
  ["PutClusterCapacityProviders", clusters.putClusterCapacityProviders],
  ["RegisterContainerInstance", instances.registerContainerInstance],
  ["RegisterTaskDefinition", definitions.registerTaskDefinition],
  ["RunTask", tasks.runTask],
  ["StartTask", tasks.startTask],
  ["StopServiceDeployment", deployments.stopServiceDeployment],
  ["StopTask", tasks.stopTask],
  ["SubmitAttachmentStateChanges", agent.submitStateChange],
  ["SubmitContainerStateChange", agent.submitStateChange],
  ["SubmitTaskStateChange", agent.submitStateChange],
  ["TagResource", tags.tagResource],
  ["UntagResource", tags.untagResource],
  ["UpdateCapacityProvider", providers.updateCapacityProvider],
  ["UpdateCluster", clusters.updateCluster],
  ["UpdateClusterSettings", clusters.updateClusterSettings],
  ["UpdateContainerAgent", agent.updateContainerAgent],
  ["UpdateContainerInstancesState", instances.updateContainerInstancesState],
  ["UpdateService", services.updateService],
  ["UpdateServicePrimaryTaskSet", taskSets.updateServicePrimaryTaskSet],
  ["UpdateTaskProtection", protection.updateTaskProtection],
  ["UpdateTaskSet", taskSets.updateTaskSet],
]);
